"""Addresses of the lucky draws."""

from django.urls import path

from careloop.web.screens.draws import steps, views

app_name = "draws"
urlpatterns = [
    path("membership/draws/", views.listing, name="list"),
    path("membership/draws/new/", views.new, name="new"),
    path("membership/draws/<uuid:draw_id>/", views.page, name="draw"),
    path("membership/draws/<uuid:draw_id>/edit/", views.edit, name="edit"),
    path("membership/draws/<uuid:draw_id>/open/", steps.open_it, name="open"),
    path("membership/draws/<uuid:draw_id>/close/", steps.close_it, name="close"),
    path("membership/draws/<uuid:draw_id>/give/", steps.give, name="give"),
    path("membership/draws/<uuid:draw_id>/draw/", steps.draw_it, name="run"),
]
