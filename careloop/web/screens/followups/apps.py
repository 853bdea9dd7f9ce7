from django.apps import AppConfig


class FollowupScreensConfig(AppConfig):
    name = "careloop.web.screens.followups"
    label = "followup_screens"
