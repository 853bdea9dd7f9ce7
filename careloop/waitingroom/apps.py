from django.apps import AppConfig


class WaitingRoomConfig(AppConfig):
    name = "careloop.waitingroom"
    label = "waitingroom"
