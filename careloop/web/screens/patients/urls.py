"""Addresses of the patients' screens, in three namespaces that the navigation knows."""

from django.urls import include, path

from careloop.web.screens.patients import connecting, consenting, editing, listing, page

patient_patterns = (
    [
        path("patients/", listing.patients, name="list"),
        path("patients/tag/", listing.tag, name="tag"),
        path("patients/export/", listing.export, name="export"),
        path("patients/new/", editing.register, name="new"),
        path("patients/<uuid:patient_id>/", page.page, name="page"),
        path("patients/<uuid:patient_id>/edit/", editing.edit, name="edit"),
        path("patients/<uuid:patient_id>/reveal/<uuid:row_id>/", editing.reveal, name="reveal"),
        path("patients/<uuid:patient_id>/contacts/new/", editing.add_contact, name="add_contact"),
        path("patients/<uuid:patient_id>/contacts/<uuid:contact_id>/", editing.change_contact, name="change_contact"),
        path(
            "patients/<uuid:patient_id>/contacts/<uuid:contact_id>/remove/",
            editing.remove_contact,
            name="remove_contact",
        ),
        path("patients/<uuid:patient_id>/line/", connecting.line, name="connect_line"),
        path("patients/<uuid:patient_id>/tags/new/", editing.give_tag, name="give_tag"),
        path("patients/<uuid:patient_id>/tags/<uuid:tag_id>/remove/", editing.remove_tag, name="remove_tag"),
        path("patients/<uuid:patient_id>/background/new/", editing.add_note, name="add_note"),
        path("patients/<uuid:patient_id>/background/<uuid:note_id>/end/", editing.end_note, name="end_note"),
        path("patients/<uuid:patient_id>/family/new/", editing.add_relative, name="add_relative"),
        path(
            "patients/<uuid:patient_id>/family/<uuid:related_id>/remove/",
            editing.remove_relative,
            name="remove_relative",
        ),
        path("patients/<uuid:patient_id>/<slug:tab>/", page.page, name="tab"),
    ],
    "patients",
)
record_patterns = (
    [
        path("patients/<uuid:patient_id>/visits/new/", editing.add_visit, name="add_visit"),
        path("patients/<uuid:patient_id>/results/new/", editing.add_result, name="add_result"),
        path(
            "patients/<uuid:patient_id>/records/<slug:kind>/<uuid:record_id>/error/",
            editing.entered_in_error,
            name="error",
        ),
    ],
    "records",
)
consent_patterns = (
    [
        path("patients/<uuid:patient_id>/notice/", consenting.notice, name="notice"),
        path("patients/<uuid:patient_id>/consent/new/", consenting.decide, name="decide"),
        path("patients/<uuid:patient_id>/consent/withdraw/", consenting.withdraw, name="withdraw"),
        path("settings/notices/", consenting.notices, name="notices"),
        path("settings/notices/new/<slug:purpose>/", consenting.new_notice, name="new_notice"),
        path("settings/notices/<uuid:notice_id>/", consenting.edit_notice, name="edit_notice"),
        path("settings/notices/<uuid:notice_id>/publish/", consenting.publish_notice, name="publish_notice"),
    ],
    "consent",
)
urlpatterns = [
    path("", include(record_patterns)),
    path("", include(consent_patterns)),
    # last: every other word behind a patient's address is a tab, perhaps another slice's
    path("", include(patient_patterns)),
]
