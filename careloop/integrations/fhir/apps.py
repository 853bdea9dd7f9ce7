from django.apps import AppConfig


class FhirConfig(AppConfig):
    """No tables: an app only so that its words are found."""

    name = "careloop.integrations.fhir"
    label = "fhir"
