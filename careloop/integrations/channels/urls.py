"""Webhooks in: included under `/hooks/`."""

from django.urls import path

from .line.views import webhook as line_webhook

app_name = "hooks"

urlpatterns = [
    path("line/<uuid:channel_id>", line_webhook, name="line"),
]
