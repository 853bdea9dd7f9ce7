"""Pages for patients: `/p/`."""

from django.urls import path

from careloop.portal import calendars, views

app_name = "portal"
urlpatterns = [
    path("p/m/<str:token>/", views.answer, name="answer"),
    path("p/u/<str:token>/", views.unsubscribe, name="unsubscribe"),
    path("p/c/<str:token>/", views.preferences, name="preferences"),
    path("p/ics/<linktoken:token>/", calendars.invitation, name="invitation"),
]
