"""The frame is drawn once a person, and still each page's own where it must be."""

import re

from careloop.web import frame


def token(html):
    return set(re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', html))


def test_the_token_and_the_way_back_are_the_pages_own(client_for):
    client = client_for("front_desk")
    first = client.get("/patients/?q=%22%3Cb%3E").content.decode()
    second = client.get("/follow-ups/").content.decode()

    for html in (first, second):
        assert frame.TOKEN_MARK not in html
        assert frame.NEXT_MARK not in html
    assert token(first)
    assert all(len(one) > 30 for one in token(first))
    assert 'name="next" value="/patients/?q=%22%3Cb%3E"' in first
    assert 'name="next" value="/follow-ups/"' in second


def test_the_language_can_be_changed_from_any_page(client_for):
    """The token put into the drawn frame is one that the server takes."""
    client = client_for("front_desk")
    client.handler.enforce_csrf_checks = True
    html = client.get("/patients/").content.decode()
    answer = client.post(
        "/language/", {"language": "en", "next": "/patients/", "csrfmiddlewaretoken": token(html).pop()}
    )

    assert answer.status_code in (302, 303)
    assert 'lang="en"' in client.get("/patients/").content.decode()


def test_nobody_sees_somebody_elses_name_or_menu(client_for):
    owner, desk = client_for("owner"), client_for("front_desk")
    theirs = {who: client.get("/patients/").content.decode() for who, client in (("owner", owner), ("desk", desk))}

    assert "/audit/" in theirs["owner"] or "/settings/" in theirs["owner"]
    assert theirs["owner"].split("cl-menu-note")[1][:120] != theirs["desk"].split("cl-menu-note")[1][:120]
    again = owner.get("/patients/").content.decode()
    assert again.split("cl-menu-note")[1][:120] == theirs["owner"].split("cl-menu-note")[1][:120]
    assert 'href="/settings/"' in again
    assert 'href="/settings/"' not in theirs["desk"]
