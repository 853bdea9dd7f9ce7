from django.apps import AppConfig


class QueuePagesConfig(AppConfig):
    name = "careloop.portal.queue"
    label = "queue_pages"
