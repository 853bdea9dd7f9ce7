from django.apps import AppConfig


class DrawsScreensConfig(AppConfig):
    name = "careloop.web.screens.draws"
    label = "draws_screens"
