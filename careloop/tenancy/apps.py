from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "careloop.tenancy"
    label = "tenancy"
