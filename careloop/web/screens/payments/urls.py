"""Addresses of the payments' screens."""

from django.urls import path

from careloop.web.screens.payments import accounts, asking, listing, one

app_name = "payments"
urlpatterns = [
    path("payments/", listing.payments, name="list"),
    path("payments/new/", asking.new, name="new"),
    path("payments/<uuid:payment_id>/", one.page, name="page"),
    path("payments/<uuid:payment_id>/send/", one.send, name="send"),
    path("payments/<uuid:payment_id>/withdraw/", one.withdraw, name="withdraw"),
    path("payments/<uuid:payment_id>/refund/", one.refund, name="refund"),
    path("payments/refunds/<uuid:refund_id>/settle/", one.settle, name="settle"),
    path("settings/payments/", accounts.accounts, name="accounts"),
    path("settings/payments/new/<str:kind>/", accounts.new, name="account_new"),
    path("settings/payments/<uuid:account_id>/", accounts.account, name="account"),
    path("settings/payments/<uuid:account_id>/check/", accounts.check, name="account_check"),
]
