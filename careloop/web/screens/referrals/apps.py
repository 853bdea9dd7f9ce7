from django.apps import AppConfig


class ReferralsScreensConfig(AppConfig):
    name = "careloop.web.screens.referrals"
    label = "referrals_screens"
