"""The door for calendar programs."""

from django.urls import path, register_converter

from careloop.integrations.icalendar import views


class LinkToken:
    """A token as `kernel.ids.new_token` makes it: nothing else is taken for one, so no other address is covered."""

    regex = "[A-Za-z0-9_-]{43}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(LinkToken, "linktoken")

app_name = "icalendar"
urlpatterns = [path("p/cal/<linktoken:token>.ics", views.calendar, name="feed")]
