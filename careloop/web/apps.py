"""The staff area: shell, components, and the helpers its pages share."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Templates, static files and words of the staff area; it has no tables."""

    name = "careloop.web"
    label = "web"
