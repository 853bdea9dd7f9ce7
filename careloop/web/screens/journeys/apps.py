from django.apps import AppConfig


class JourneyScreensConfig(AppConfig):
    name = "careloop.web.screens.journeys"
    label = "journey_screens"
