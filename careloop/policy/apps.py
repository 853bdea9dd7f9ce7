from django.apps import AppConfig


class PolicyConfig(AppConfig):
    name = "careloop.policy"
    label = "policy"
