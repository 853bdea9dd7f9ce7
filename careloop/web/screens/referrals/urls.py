"""Addresses of the referrals' screens."""

from django.urls import path

from careloop.web.screens.referrals import views

app_name = "referrals"
urlpatterns = [
    path("membership/referrals/", views.home, name="home"),
    path("membership/referrals/settings/", views.settings, name="settings"),
    path("membership/referrals/tree/", views.tree, name="tree"),
    path("membership/referrals/tree/<uuid:patient_id>/", views.tree, name="tree_of"),
    path("membership/referrals/<uuid:referral_id>/", views.referral, name="referral"),
    path("membership/referrals/of/<uuid:patient_id>/", views.note, name="note"),
]
