from django.apps import AppConfig


class PaymentsScreensConfig(AppConfig):
    name = "careloop.web.screens.payments"
    label = "payments_screens"
