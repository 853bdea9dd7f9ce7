from django.apps import AppConfig


class ImportsConfig(AppConfig):
    name = "careloop.integrations.imports"
    label = "imports"
