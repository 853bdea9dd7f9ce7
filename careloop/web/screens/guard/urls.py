"""Addresses of the legal guard."""

from django.urls import path

from careloop.web.screens.guard import report, signing, views

app_name = "guard"
urlpatterns = [
    path("membership/guard/", views.home, name="home"),
    path("membership/guard/try/", views.try_text, name="try"),
    path("membership/guard/report/", report.page, name="report"),
    path("membership/guard/report/csv/", report.as_csv, name="report_csv"),
    path("membership/guard/sign-offs/<uuid:sign_off_id>/withdraw/", signing.withdraw, name="withdraw"),
    path("membership/guard/<str:model>/<uuid:item_id>/", views.item, name="item"),
    path("membership/guard/<str:model>/<uuid:item_id>/sign/<str:audience>/", signing.sign, name="sign"),
]
