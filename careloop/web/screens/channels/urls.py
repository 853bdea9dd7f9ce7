"""Addresses of the channels' settings."""

from django.urls import path

from careloop.web.screens.channels import views

app_name = "channels"
urlpatterns = [
    path("settings/channels/", views.accounts, name="list"),
    path("settings/channels/new/<str:kind>/", views.new, name="new"),
    path("settings/channels/<uuid:account_id>/", views.account, name="account"),
    path("settings/channels/<uuid:account_id>/check/", views.check, name="check"),
    path("settings/channels/<uuid:account_id>/pause/", views.pause, name="pause"),
]
