from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "careloop.portal"
    label = "portal"
