from django.apps import AppConfig


class ChannelsScreensConfig(AppConfig):
    name = "careloop.web.screens.channels"
    label = "channels_screens"
