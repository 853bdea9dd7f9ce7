"""Addresses of the follow-ups' screens."""

from django.urls import path

from careloop.web.screens.followups import views

app_name = "followups"
urlpatterns = [
    path("follow-ups/", views.worklist, name="list"),
    path("follow-ups/new/", views.new, name="new"),
    path("follow-ups/assign/", views.assign, name="assign"),
    path("follow-ups/<uuid:follow_up_id>/", views.page, name="page"),
    path("follow-ups/<uuid:follow_up_id>/snooze/", views.snooze, name="snooze"),
]
