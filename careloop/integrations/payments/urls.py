"""Where providers report to: `/hooks/payments/<account>`."""

from django.urls import path

from .views import notice

app_name = "payment_hooks"
urlpatterns = [path("hooks/payments/<uuid:account_id>", notice, name="notice")]
