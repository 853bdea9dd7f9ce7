from django.apps import AppConfig


class NewslettersScreensConfig(AppConfig):
    name = "careloop.web.screens.newsletters"
    label = "newsletters_screens"
