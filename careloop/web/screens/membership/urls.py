"""Addresses of the membership's screens."""

from django.urls import path

from careloop.web.screens.membership import awarding, joining, listing, ruling, setting_up

app_name = "membership"
urlpatterns = [
    path("membership/", listing.members, name="home"),
    path("membership/award/", awarding.award, name="award"),
    path("membership/join/<uuid:patient_id>/", joining.join, name="join"),
    path("membership/members/<uuid:account_id>/leave/", joining.leave, name="leave"),
    path("membership/setup/", setting_up.programmes, name="programmes"),
    path("membership/setup/new/", setting_up.new, name="programme_new"),
    path("membership/setup/<uuid:programme_id>/", setting_up.programme, name="programme"),
    path("membership/setup/<uuid:programme_id>/edit/", setting_up.edit, name="programme_edit"),
    path("membership/setup/<uuid:programme_id>/open/", setting_up.open_it, name="programme_open"),
    path("membership/setup/<uuid:programme_id>/close/", setting_up.close_it, name="programme_close"),
    path("membership/setup/<uuid:programme_id>/rules/new/", ruling.new, name="rule_new"),
    path("membership/rules/<uuid:earn_rule_id>/", ruling.rule, name="rule"),
    path("membership/rules/<uuid:earn_rule_id>/edit/", ruling.edit, name="rule_edit"),
    path("membership/rules/<uuid:earn_rule_id>/switch/", ruling.switch, name="rule_switch"),
]
