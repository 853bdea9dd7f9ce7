from django.apps import AppConfig


class FactsConfig(AppConfig):
    name = "careloop.facts"
    label = "facts"
