from django.apps import AppConfig


class GuardScreensConfig(AppConfig):
    name = "careloop.web.screens.guard"
    label = "guard_screens"
