from django.apps import AppConfig


class PaymentProvidersConfig(AppConfig):
    name = "careloop.integrations.payments"
    label = "payment_providers"
