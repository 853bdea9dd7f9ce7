from django.apps import AppConfig


class CalendarScreensConfig(AppConfig):
    name = "careloop.web.screens.calendars"
    label = "calendar_screens"
