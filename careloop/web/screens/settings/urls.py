from django.urls import path

from careloop.web.screens.settings import law, people, places, system

app_name = "settings"
urlpatterns = [
    path("settings/", places.home, name="home"),
    path("settings/organization/", places.organization, name="organization"),
    path("settings/locations/", places.locations, name="locations"),
    path("settings/locations/new/", places.location, name="location_new"),
    path("settings/locations/<uuid:location_id>/", places.location, name="location"),
    path("settings/locations/<uuid:location_id>/close/", places.close_location, name="location_close"),
    path("settings/locations/<uuid:location_id>/open/", places.open_location, name="location_open"),
    path("settings/tags/", places.tags, name="tags"),
    path("settings/tags/<uuid:tag_id>/archive/", places.archive_tag, name="tag_archive"),
    path("settings/staff/", people.staff, name="staff"),
    path("settings/staff/invite/", people.invite, name="invite"),
    path("settings/staff/<uuid:member_id>/", people.member, name="member"),
    path("settings/staff/<uuid:member_id>/deactivate/", people.deactivate, name="deactivate"),
    path("settings/staff/<uuid:member_id>/reactivate/", people.reactivate, name="reactivate"),
    path("settings/staff/<uuid:member_id>/end-sessions/", people.end_sessions, name="end_sessions"),
    path("settings/invitations/<uuid:invitation_id>/withdraw/", people.withdraw, name="withdraw"),
    path("settings/roles/", people.roles, name="roles"),
    path("settings/legal/", law.legal, name="legal"),
    path("settings/legal/rules/<str:rule_id>/", law.rule, name="rule"),
    path("settings/contacts/", law.contacts, name="contacts"),
    path("settings/contacts/<uuid:contact_id>/withdraw/", law.withdraw_contact, name="contact_withdraw"),
    path("settings/sign-offs/", law.sign_offs, name="sign_offs"),
    path("settings/system/", system.system, name="system"),
    path("organization/", people.switch, name="switch"),
    path("invitation/<str:token>/", people.accept, name="accept"),
]
