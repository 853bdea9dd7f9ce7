"""Addresses of the tiers' screens and of the membership's reports."""

from django.urls import path

from careloop.web.screens.tiers import benefits, listing, members, reports

app_name = "tiers"
urlpatterns = [
    path("membership/tiers/", listing.tiers, name="list"),
    path("membership/tiers/new/<uuid:programme_id>/", listing.new, name="new"),
    path("membership/tiers/<uuid:tier_id>/", listing.edit, name="edit"),
    path("membership/tiers/<uuid:tier_id>/benefits/new/<str:benefit_kind>/", benefits.new, name="benefit_new"),
    path("membership/tiers/benefits/<uuid:benefit_id>/", benefits.benefit, name="benefit"),
    path("membership/tiers/benefits/<uuid:benefit_id>/switch/", benefits.switch, name="benefit_switch"),
    path("membership/tiers/use/", benefits.use, name="use"),
    path("membership/tiers/members/<uuid:account_id>/", members.member, name="member"),
    path("membership/tiers/members/<uuid:account_id>/hand/", members.by_hand, name="by_hand"),
    path("membership/tiers/members/<uuid:account_id>/use/", members.use_item, name="use_item"),
    path("membership/reports/", reports.home, name="reports"),
    path("membership/reports/<str:report>.csv", reports.download, name="report_csv"),
]
