from django.apps import AppConfig


class ImportsScreensConfig(AppConfig):
    name = "careloop.web.screens.imports"
    label = "imports_screens"
