from django.apps import AppConfig


class ICalendarConfig(AppConfig):
    name = "careloop.integrations.icalendar"
    label = "icalendar"
