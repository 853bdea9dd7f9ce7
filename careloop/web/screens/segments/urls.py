"""Addresses of the segments' screens."""

from django.urls import path

from careloop.web.screens.segments import building, library, listing, members

app_name = "segments"
urlpatterns = [
    path("segments/", listing.segments, name="list"),
    path("segments/new/", building.new, name="new"),
    path("segments/preview/", building.preview, name="preview"),
    path("segments/library/", library.gallery, name="library"),
    path("segments/library/<slug:key>/", library.ready, name="ready"),
    path("segments/library/<slug:key>/count/", library.counted, name="ready_count"),
    path("segments/<uuid:segment_id>/", members.page, name="page"),
    path("segments/<uuid:segment_id>/edit/", building.edit, name="edit"),
    path("segments/<uuid:segment_id>/refresh/", members.refresh, name="refresh"),
    path("segments/<uuid:segment_id>/archive/", members.archive, name="archive"),
    path("segments/<uuid:segment_id>/restore/", members.restore, name="restore"),
    path("segments/<uuid:segment_id>/why/", members.why_search, name="why_search"),
    path("segments/<uuid:segment_id>/why/<uuid:patient_id>/", members.why, name="why"),
]
