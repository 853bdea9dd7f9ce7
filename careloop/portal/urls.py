"""Pages for patients: `/p/`."""

from django.urls import path, re_path

from careloop.portal import calendars, views

app_name = "portal"
urlpatterns = [
    path("p/m/<str:token>/", views.answer, name="answer"),
    path("p/u/<str:token>/", views.unsubscribe, name="unsubscribe"),
    path("p/c/<str:token>/", views.preferences, name="preferences"),
    re_path(r"^p/ics/(?P<token>[A-Za-z0-9_-]{43})/$", calendars.invitation, name="invitation"),
]
