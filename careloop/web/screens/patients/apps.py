from django.apps import AppConfig


class PatientScreensConfig(AppConfig):
    name = "careloop.web.screens.patients"
    label = "patient_screens"
