from django.apps import AppConfig


class SettingsScreensConfig(AppConfig):
    name = "careloop.web.screens.settings"
    label = "settings_screens"
