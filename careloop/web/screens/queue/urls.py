"""Addresses of the waiting room's screens."""

from django.urls import path

from careloop.web.screens.queue import settings_views, views

app_name = "queue"
urlpatterns = [
    path("queue/", views.home, name="home"),
    path("queue/scan/", views.scan, name="scan"),
    path("queue/rules/", settings_views.rules, name="rules"),
    path("queue/screens/", settings_views.screens, name="screens"),
    path("queue/screens/<uuid:display_id>/end/", settings_views.end_screen, name="end_screen"),
    path("queue/<uuid:session_id>/", views.session, name="session"),
    path("queue/<uuid:session_id>/console/", views.console, name="console"),
    path("queue/<uuid:session_id>/next/", views.call_next, name="next"),
    path("queue/<uuid:session_id>/rules/", settings_views.session_rules, name="session_rules"),
    path("queue/<uuid:session_id>/walk-in/", views.walk_in, name="walk_in"),
    path("queue/check-in/<uuid:appointment_id>/", views.check_in, name="check_in"),
    path("queue/pass/<uuid:appointment_id>/", views.make_pass, name="pass"),
    path("queue/tickets/<uuid:ticket_id>/", views.ticket, name="ticket"),
    path("queue/tickets/<uuid:ticket_id>/do/", views.act, name="act"),
]
