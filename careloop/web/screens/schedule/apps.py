from django.apps import AppConfig


class ScheduleScreensConfig(AppConfig):
    name = "careloop.web.screens.schedule"
    label = "schedule_screens"
