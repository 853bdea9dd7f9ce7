from django.apps import AppConfig


class QueueScreensConfig(AppConfig):
    name = "careloop.web.screens.queue"
    label = "queue_screens"
