from django.apps import AppConfig


class TierScreensConfig(AppConfig):
    name = "careloop.web.screens.tiers"
    label = "tier_screens"
