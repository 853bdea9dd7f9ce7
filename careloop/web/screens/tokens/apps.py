from django.apps import AppConfig


class TokenScreensConfig(AppConfig):
    name = "careloop.web.screens.tokens"
    label = "token_screens"
