from django.apps import AppConfig


class GreetingsScreensConfig(AppConfig):
    name = "careloop.web.screens.greetings"
    label = "greetings_screens"
