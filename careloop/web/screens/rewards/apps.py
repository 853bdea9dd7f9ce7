from django.apps import AppConfig


class RewardsScreensConfig(AppConfig):
    name = "careloop.web.screens.rewards"
    label = "rewards_screens"
