from django.apps import AppConfig


class MessagesScreensConfig(AppConfig):
    name = "careloop.web.screens.messages"
    label = "messages_screens"
