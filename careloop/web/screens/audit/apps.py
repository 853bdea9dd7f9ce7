from django.apps import AppConfig


class AuditScreensConfig(AppConfig):
    name = "careloop.web.screens.audit"
    label = "audit_screens"
