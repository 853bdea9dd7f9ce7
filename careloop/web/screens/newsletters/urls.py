"""Addresses of the newsletter's screens."""

from django.urls import path

from careloop.web.screens.newsletters import views

app_name = "newsletters"
urlpatterns = [
    path("membership/newsletters/", views.issues, name="list"),
    path("membership/newsletters/new/", views.new, name="new"),
    path("membership/newsletters/<uuid:issue_id>/", views.issue, name="issue"),
    path("membership/newsletters/<uuid:issue_id>/edit/", views.edit, name="edit"),
    path("membership/newsletters/<uuid:issue_id>/check/", views.check, name="check"),
    path("membership/newsletters/<uuid:issue_id>/send/", views.send, name="send"),
    path("membership/newsletters/<uuid:issue_id>/stop/", views.stop, name="stop"),
    path("membership/newsletters/<uuid:issue_id>/delete/", views.delete, name="delete"),
]
