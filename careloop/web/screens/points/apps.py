from django.apps import AppConfig


class PointsScreensConfig(AppConfig):
    name = "careloop.web.screens.points"
    label = "points_screens"
