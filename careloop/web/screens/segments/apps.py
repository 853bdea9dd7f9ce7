from django.apps import AppConfig


class SegmentScreensConfig(AppConfig):
    name = "careloop.web.screens.segments"
    label = "segment_screens"
