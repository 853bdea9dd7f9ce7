from django.apps import AppConfig


class LoyaltyConfig(AppConfig):
    name = "careloop.loyalty"
    label = "loyalty"
