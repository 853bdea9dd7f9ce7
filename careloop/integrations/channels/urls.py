"""Webhooks in: `/hooks/<channel>/<id>`."""

from django.urls import path

from .line.views import webhook as line_webhook

app_name = "hooks"

urlpatterns = [
    path("hooks/line/<uuid:channel_id>", line_webhook, name="line"),
]
