from django.apps import AppConfig


class JourneysConfig(AppConfig):
    name = "careloop.journeys"
    label = "journeys"
