from django.apps import AppConfig


class MembershipScreensConfig(AppConfig):
    name = "careloop.web.screens.membership"
    label = "membership_screens"
