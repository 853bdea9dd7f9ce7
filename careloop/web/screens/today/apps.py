from django.apps import AppConfig


class TodayScreensConfig(AppConfig):
    name = "careloop.web.screens.today"
    label = "today_screens"
