"""Addresses of the first page."""

from django.urls import path

from careloop.web.screens.today import views

app_name = "today"
urlpatterns = [
    path("", views.home, name="home"),
    path("today/<slug:what>/", views.patients, name="patients"),
]
