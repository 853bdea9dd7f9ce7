"""Addresses of the reports."""

from django.urls import path

from careloop.web.screens.reports import views

app_name = "insights"
urlpatterns = [
    path("reports/", views.home, name="home"),
    path("reports/journeys.csv", views.journeys_csv, name="journeys_csv"),
    path("reports/weeks.csv", views.weeks_csv, name="weeks_csv"),
]
