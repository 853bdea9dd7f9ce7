from django.apps import AppConfig


class RecordsConfig(AppConfig):
    name = "careloop.records"
    label = "records"
