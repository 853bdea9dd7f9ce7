from django.apps import AppConfig


class InsightsConfig(AppConfig):
    name = "careloop.insights"
    label = "insights"
