"""Addresses of what a person may ask of their data."""

from django.urls import path

from careloop.web.screens.privacy import views

app_name = "privacy"
urlpatterns = [
    path("privacy/<uuid:patient_id>/", views.page, name="page"),
    path("privacy/<uuid:patient_id>/give-out/", views.give_out, name="give_out"),
    path("privacy/<uuid:patient_id>/restrict/", views.restrict, name="restrict"),
    path("privacy/<uuid:patient_id>/lift/", views.lift, name="lift"),
    path("privacy/<uuid:patient_id>/erase/", views.erase, name="erase"),
]
