from django.urls import path

from careloop.web.screens.tokens import screens

app_name = "tokens"
urlpatterns = [
    path("settings/tokens/", screens.tokens, name="list"),
    path("settings/tokens/new/", screens.new, name="new"),
    path("settings/tokens/<uuid:token_id>/revoke/", screens.revoke, name="revoke"),
]
