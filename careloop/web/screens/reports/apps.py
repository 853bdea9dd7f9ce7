from django.apps import AppConfig


class ReportScreensConfig(AppConfig):
    name = "careloop.web.screens.reports"
    label = "report_screens"
