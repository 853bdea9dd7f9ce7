from django.apps import AppConfig


class PrivacyScreensConfig(AppConfig):
    name = "careloop.web.screens.privacy"
    label = "privacy_screens"
