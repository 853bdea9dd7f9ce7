from django.urls import path

from careloop.web.screens.reminders import views

app_name = "reminders"
urlpatterns = [
    path("settings/reminders/", views.settings, name="settings"),
]
