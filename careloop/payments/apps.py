from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "careloop.payments"
    label = "payments"
