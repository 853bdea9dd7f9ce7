from django.urls import path

from careloop.web.screens.audit import views

app_name = "audit"
urlpatterns = [
    path("audit/", views.entries, name="list"),
    path("audit/log.csv", views.export, name="export"),
    path("audit/verify/", views.verify, name="verify"),
]
