from django.apps import AppConfig


class ReminderScreensConfig(AppConfig):
    name = "careloop.web.screens.reminders"
    label = "reminder_screens"
