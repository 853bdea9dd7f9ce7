from django.apps import AppConfig


class ChannelsConfig(AppConfig):
    name = "careloop.integrations.channels"
    label = "channels"
