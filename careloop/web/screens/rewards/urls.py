"""Addresses of the rewards' screens: catalogue, desk, redemptions, coupons, partners."""

from django.urls import path

from careloop.web.screens.rewards import catalogue, codes, coupons, desk, partners, redemptions

app_name = "rewards"
HERE = "membership/rewards/"
urlpatterns = [
    path(HERE, catalogue.home, name="home"),
    path(HERE + "new/", catalogue.new, name="new"),
    path(HERE + "<uuid:reward_id>/", catalogue.reward, name="reward"),
    path(HERE + "<uuid:reward_id>/switch/", catalogue.switch, name="switch"),
    path(HERE + "desk/", desk.desk, name="desk"),
    path(HERE + "desk/find/", desk.find, name="desk_find"),
    path(HERE + "desk/branch/", desk.branch, name="desk_branch"),
    path(HERE + "desk/members/<uuid:account_id>/", desk.member, name="desk_member"),
    path(HERE + "desk/members/<uuid:account_id>/take/<uuid:reward_id>/", desk.take, name="desk_take"),
    path(HERE + "desk/noted/", desk.noted, name="noted"),
    path(HERE + "redemptions/", redemptions.listed, name="redemptions"),
    path(HERE + "redemptions/<uuid:redemption_id>/", redemptions.page, name="redemption"),
    path(HERE + "redemptions/<uuid:redemption_id>/hand-over/", redemptions.hand_over, name="hand_over"),
    path(HERE + "redemptions/<uuid:redemption_id>/take-back/", redemptions.take_back, name="take_back"),
    path(HERE + "coupons/", coupons.listed, name="coupons"),
    path(HERE + "coupons/new/", coupons.new, name="coupon_new"),
    path(HERE + "coupons/<uuid:coupon_id>/", coupons.coupon, name="coupon"),
    path(HERE + "coupons/<uuid:coupon_id>/switch/", coupons.switch, name="coupon_switch"),
    path(HERE + "coupons/<uuid:coupon_id>/codes/", coupons.codes, name="coupon_codes"),
    path(HERE + "coupons/<uuid:coupon_id>/codes.csv", coupons.series_csv, name="coupon_csv"),
    path(HERE + "coupons/<uuid:coupon_id>/make/", coupons.make, name="coupon_make"),
    path(HERE + "coupons/<uuid:coupon_id>/give/", coupons.give, name="coupon_give"),
    path(HERE + "codes/<uuid:code_id>/", codes.page, name="code"),
    path(HERE + "codes/<uuid:code_id>/use/", codes.use, name="code_use"),
    path(HERE + "codes/<uuid:code_id>/undo/", codes.undo, name="code_undo"),
    path(HERE + "codes/<uuid:code_id>/withdraw/", codes.withdraw, name="code_withdraw"),
    path(HERE + "partners/", partners.listed, name="partners"),
    path(HERE + "partners/new/", partners.new, name="partner_new"),
    path(HERE + "partners/<uuid:partner_id>/", partners.partner, name="partner"),
    path(HERE + "partners/<uuid:partner_id>/pin/", partners.pin, name="partner_pin"),
    path(HERE + "partners/<uuid:partner_id>/link/", partners.link, name="partner_link"),
    path(HERE + "partners/<uuid:partner_id>/settle/", partners.settle, name="settle"),
    path(HERE + "partners/<uuid:partner_id>/uses.csv", partners.uses_csv, name="uses_csv"),
    path(HERE + "settlements/<uuid:settlement_id>/", partners.settlement, name="settlement"),
]
