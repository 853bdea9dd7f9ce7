"""Pages for patients: `/p/`. One letter after it is a link in a message; two and more are a clinic's short name."""

from django.urls import path, re_path, register_converter

from careloop.portal import calendars, linked_visits, numbers, partner, paying, views
from careloop.portal.pages import (
    book,
    draws,
    giving,
    me,
    member,
    points,
    public,
    referral,
    rewards,
    signing_in,
    tiers,
    visits,
    waiting,
    with_line,
)


class ClinicName:
    """A clinic's short name: at least two characters, so that it is never one of the one-letter links.

    Nor `tv`, the waiting room's screens, nor `cal` and `ics`, the calendars.
    """

    regex = "(?!(?:tv|cal|ics)/)[a-z0-9][a-z0-9-]{1,39}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ClinicName, "clinic")
HERE = "p/<clinic:slug>/"

app_name = "portal"
urlpatterns = [
    path("p/m/<str:token>/", views.answer, name="answer"),
    path("p/u/<str:token>/", views.unsubscribe, name="unsubscribe"),
    path("p/c/<str:token>/", views.preferences, name="preferences"),
    path("p/a/<str:token>/", linked_visits.visit, name="linked_visit"),
    path("p/y/sandbox/<uuid:account_id>/", paying.sandbox, name="pay_sandbox"),
    path("p/y/<str:token>/", paying.payment, name="payment"),
    path("p/y/<str:token>/back/", paying.back, name="payment_back"),
    path("p/n/<str:token>/", numbers.from_message, name="linked_number"),
    path("p/v/<str:token>/", partner.check, name="partner"),
    path(HERE, public.home, name="home"),
    path(HERE + "sign-in/", signing_in.sign_in, name="sign_in"),
    path(HERE + "sign-in/code/", signing_in.code, name="code"),
    path(HERE + "sign-in/who/", signing_in.who, name="who"),
    path(HERE + "sign-in/line/", with_line.start, name="line_start"),
    path(HERE + "sign-in/line/back/", with_line.callback, name="line_callback"),
    path(HERE + "sign-in/line/token/", with_line.token, name="line_token"),
    path(HERE + "sign-in/line/connect/", with_line.connect, name="line_connect"),
    path(HERE + "line/", with_line.straight, name="line_straight"),
    path(HERE + "line/connected/", with_line.connected, name="line_connected"),
    path(HERE + "line/<str:token>/", with_line.invited, name="line_invited"),
    path(HERE + "sign-out/", signing_in.sign_out, name="sign_out"),
    path(HERE + "book/", book.services, name="book"),
    path(HERE + "book/details/", book.details, name="book_details"),
    path(HERE + "book/done/", book.done, name="book_done"),
    path(HERE + "book/give-up/", book.give_up, name="book_give_up"),
    path(HERE + "book/<uuid:service_id>/", book.times, name="book_times"),
    path(HERE + "book/<uuid:service_id>/hold/", book.hold, name="book_hold"),
    path(HERE + "book/<uuid:service_id>/wait/", waiting.join, name="wait"),
    path(HERE + "embed/", book.embed, name="embed"),
    path(HERE + "member/tier/", tiers.mine, name="my_tier"),
    path(HERE + "member/points/", points.points, name="points"),
    path(HERE + "member/points/family/", points.family, name="points_family"),
    path(HERE + "member/points/give/", giving.give, name="points_give"),
    path(HERE + "visits/", visits.visits, name="visits"),
    path(HERE + "visits/<uuid:appointment_id>/", visits.visit, name="visit"),
    path(HERE + "visits/<uuid:appointment_id>/confirm/", visits.confirm, name="visit_confirm"),
    path(HERE + "visits/<uuid:appointment_id>/cancel/", visits.cancel, name="visit_cancel"),
    path(HERE + "visits/<uuid:appointment_id>/move/", visits.move, name="visit_move"),
    path(HERE + "visits/offers/<uuid:offer_id>/", waiting.answer, name="offer_answer"),
    path(HERE + "visits/wishes/<uuid:entry_id>/leave/", waiting.leave, name="wish_leave"),
    path(HERE + "visits/<uuid:appointment_id>/number/", numbers.of_visit, name="visit_number"),
    path(HERE + "visits/<uuid:appointment_id>/calendar/", calendars.of_visit, name="visit_calendar"),
    path(HERE + "messages/", me.written, name="messages"),
    path(HERE + "me/", me.me, name="me"),
    path(HERE + "me/preferences/", me.preferences, name="my_preferences"),
    path(HERE + "me/contact/", me.contact, name="contact"),
    path(HERE + "me/correct/", me.tell, name="tell"),
    path(HERE + "me/devices/", me.devices, name="devices"),
    path(HERE + "me/consents/", me.consents, name="consents"),
    path(HERE + "me/family/<uuid:helper_id>/", me.helper, name="helper"),
    path(HERE + "me/line/", with_line.unbind, name="line_unbind"),
    path(HERE + "member/", member.card, name="member"),
    path(HERE + "member/join/", member.join, name="member_join"),
    path(HERE + "member/referral/", referral.referral, name="my_referral"),
    path(HERE + "member/wishes/", referral.my_wishes, name="my_wishes"),
    path(HERE + "r/<str:code>/", referral.invited, name="invited"),
    path(HERE + "member/rewards/", rewards.rewards, name="rewards"),
    path(HERE + "member/rewards/<uuid:reward_id>/take/", rewards.take, name="reward_take"),
    path(HERE + "member/rewards/codes/<uuid:redemption_id>/", rewards.reward_code, name="reward_code"),
    path(HERE + "member/rewards/codes/<uuid:redemption_id>/give-back/", rewards.give_back, name="reward_give_back"),
    path(HERE + "member/offers/<uuid:coupon_id>/take/", rewards.take_offer, name="offer_take"),
    path(HERE + "member/coupons/<uuid:code_id>/", rewards.coupon, name="coupon"),
    path(HERE + "member/", member.card, name="member"),
    path(HERE + "member/join/", member.join, name="member_join"),
    path(HERE + "member/draws/", draws.mine, name="draws"),
    path(HERE + "draws/<uuid:draw_id>/", draws.draw, name="draw"),
    path(HERE + "draws/<uuid:draw_id>/draw.json", draws.file, name="draw_file"),
    path(HERE + "family/", public.switch, name="switch"),
    path(HERE + "notice/", me.notice_read, name="notice_read"),
    path(HERE + "privacy/", public.privacy, name="privacy"),
    path(HERE + "display/", public.display, name="display"),
    path(HERE + "offline/", public.offline, name="offline"),
    path(HERE + "manifest.webmanifest", public.manifest, name="manifest"),
    path(HERE + "worker.js", public.worker, name="worker"),
    re_path(r"^p/ics/(?P<token>[A-Za-z0-9_-]{43})/$", calendars.invitation, name="invitation"),
]
