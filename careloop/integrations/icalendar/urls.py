"""The door for calendar programs."""

from django.urls import re_path

from careloop.integrations.icalendar import views

app_name = "icalendar"
# nothing but a token as `kernel.ids.new_token` makes it, so that no other address of a clinic is covered
urlpatterns = [re_path(r"^p/cal/(?P<token>[A-Za-z0-9_-]{43})\.ics$", views.calendar, name="feed")]
