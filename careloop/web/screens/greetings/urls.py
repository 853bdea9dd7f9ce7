"""Addresses of the greetings' screens."""

from django.urls import path

from careloop.web.screens.greetings import views

app_name = "greetings"
urlpatterns = [
    path("membership/greetings/", views.plans, name="list"),
    path("membership/greetings/new/", views.new, name="new"),
    path("membership/greetings/<uuid:plan_id>/", views.plan, name="plan"),
    path("membership/greetings/<uuid:plan_id>/switch/", views.switch, name="switch"),
    path("membership/greetings/of/<uuid:patient_id>/", views.wishes_of, name="wishes"),
]
