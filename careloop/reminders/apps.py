from django.apps import AppConfig


class RemindersConfig(AppConfig):
    name = "careloop.reminders"
    verbose_name = "reminders"
