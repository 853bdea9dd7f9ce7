from django.urls import path

from careloop.web.screens.calendars import importing, links

app_name = "calendars"
urlpatterns = [
    path("calendars/", links.listing, name="list"),
    path("calendars/new/", links.new, name="new"),
    path("calendars/<uuid:link_id>/revoke/", links.revoke, name="revoke"),
    path("calendars/import/", importing.upload, name="import"),
    path("calendars/import/<uuid:upload_id>/", importing.preview, name="preview"),
    path("calendars/import/<uuid:upload_id>/discard/", importing.discard, name="discard"),
]
