"""Addresses of the journeys' screens."""

from django.urls import path

from careloop.web.screens.journeys import designing, enrollments, listing, page, running

app_name = "journeys"
urlpatterns = [
    path("journeys/", listing.journeys, name="list"),
    path("journeys/new/", listing.new, name="new"),
    path("journeys/library/", listing.library_page, name="library"),
    path("journeys/library/<slug:key>/", listing.take_over, name="take_over"),
    path("journeys/enrollments/<uuid:enrollment_id>/", enrollments.page, name="enrollment"),
    path("journeys/enrollments/<uuid:enrollment_id>/remove/", enrollments.remove, name="remove"),
    path("journeys/enrollments/<uuid:enrollment_id>/skip/", enrollments.skip, name="skip_one"),
    path("journeys/<uuid:journey_id>/", page.path_page, name="page"),
    path("journeys/<uuid:journey_id>/results/", page.results_page, name="results"),
    path("journeys/<uuid:journey_id>/patients/", enrollments.listed, name="enrollments"),
    path("journeys/<uuid:journey_id>/edit/", designing.edit, name="edit"),
    path("journeys/<uuid:journey_id>/steps/new/", designing.add_step, name="add_step"),
    path("journeys/<uuid:journey_id>/steps/<slug:step_id>/", designing.edit_step, name="edit_step"),
    path("journeys/<uuid:journey_id>/steps/<slug:step_id>/move/", designing.move_step, name="move_step"),
    path("journeys/<uuid:journey_id>/steps/<slug:step_id>/remove/", designing.remove_step, name="remove_step"),
    path("journeys/<uuid:journey_id>/start/", running.start, name="start"),
    path("journeys/<uuid:journey_id>/use/", running.use_changes, name="use_changes"),
    path("journeys/<uuid:journey_id>/pause/", running.pause, name="pause"),
    path("journeys/<uuid:journey_id>/resume/", running.resume, name="resume"),
    path("journeys/<uuid:journey_id>/end/", running.end, name="end"),
    path("journeys/<uuid:journey_id>/skip/", running.skip, name="skip"),
]
