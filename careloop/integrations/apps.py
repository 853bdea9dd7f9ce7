from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "careloop.integrations"
    label = "integrations"
