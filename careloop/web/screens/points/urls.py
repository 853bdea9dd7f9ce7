"""Addresses of the points' screens."""

from django.urls import path

from careloop.web.screens.points import families, liability, reversing, statement

app_name = "points"
urlpatterns = [
    path("membership/points/<uuid:account_id>/", statement.statement, name="statement"),
    path("membership/points/<uuid:account_id>/adjust/", statement.adjust, name="adjust"),
    path("membership/points/<uuid:account_id>/reverse/", reversing.reverse, name="reverse"),
    path("membership/points/<uuid:account_id>/hand-over/", families.hand_over, name="hand_over"),
    path("membership/points/<uuid:account_id>/family/", families.family, name="family"),
    path("membership/points/<uuid:account_id>/family/begin/", families.begin, name="family_begin"),
    path("membership/points/<uuid:account_id>/family/invite/", families.invite, name="family_invite"),
    path("membership/points/<uuid:account_id>/family/answer/", families.answer, name="family_answer"),
    path("membership/points/<uuid:account_id>/family/leave/", families.leave, name="family_leave"),
    path("membership/liability/", liability.liability, name="liability"),
    path("membership/liability.csv", liability.liability_csv, name="liability_csv"),
    path("membership/liability/books/", liability.books, name="books"),
]
