"""LINE: its word is asked for on the server, and opens a patient's pages only after a proof of which patient."""

from datetime import date
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.core.cache import cache

from careloop.audit.services import write_notes
from careloop.integrations.channels.line import login
from careloop.integrations.channels.line.login import LineLoginError, LoginChannel, user_of
from careloop.kernel import sql
from careloop.messaging import channels
from careloop.patients import inviting, sealing
from careloop.portal import line
from careloop.portal.models import PatientSession
from careloop.portal.tests.support import PHONE, Phone, now, open_clinic, somebody
from tests.support import inside

CHANNEL = LoginChannel("1234567890", "secret of the login channel")
LINE_USER = f"U{7:032x}"


class Fake:
    """LINE as its reference describes it: verifies a token it has issued for this channel and nonce, and no other."""

    def __init__(self):
        self.issued = {}
        self.asked = []

    def issue(self, *, nonce="", user=LINE_USER, **more):
        token = f"header.{len(self.issued):030d}.signature"
        self.issued[token] = {
            "iss": login.ISSUER, "sub": user, "aud": CHANNEL.channel_id, "exp": int(now().timestamp()) + 600,
            "name": "小明", **({"nonce": nonce} if nonce else {}), **more,
        }  # fmt: skip
        return token

    def token_of(self, channel, *, code, verifier, redirect):
        self.asked.append((code, verifier, redirect))
        if code not in self.issued:
            raise LineLoginError("refused (400)")
        return code

    def claims_of(self, channel, *, id_token, nonce):
        if id_token not in self.issued:
            raise LineLoginError("refused (400)")  # a signature LINE does not know
        return self.issued[id_token]


@pytest.fixture
def fake(monkeypatch):
    made = Fake()
    monkeypatch.setattr(line, "port", lambda: made)
    return made


@pytest.fixture(autouse=True)
def clinic(organization):
    open_clinic()
    channels.save_account(
        account_id=None, kind="line", name="LINE", channel="line", make_default=True, now=now(),
        given={"access_token": "x", "channel_secret": "y", "login_channel_id": CHANNEL.channel_id, "login_channel_secret": CHANNEL.secret},
    )  # fmt: skip
    return organization


@pytest.fixture
def phone(organization):
    return Phone(organization)


def go_to_line(phone):
    """Press the button, and return what the browser carries to LINE."""
    sent = phone.post("sign-in/line/")["Location"]
    assert sent.startswith("https://access.line.me/oauth2/v2.1/authorize?")
    return {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}


def come_back(phone, fake, **more):
    carried = go_to_line(phone)
    code = fake.issue(**{"nonce": carried["nonce"], **more})
    return phone.get(f"sign-in/line/back/?state={carried['state']}&code={code}")


def bind(phone, fake):
    assert "/line/connect/" in come_back(phone, fake)["Location"]
    cache_kept = phone.post("sign-in/line/connect/", {"address": PHONE})
    assert cache_kept.status_code == 302
    answer = phone.post("sign-in/code/", {"code": phone.digits})
    assert "/who/" in answer["Location"]
    return phone.post("sign-in/who/", {"birth_date": "1990-03-05"})


def test_a_stranger_with_line_opens_nothing_until_code_and_birth_date_prove_who(phone, fake):
    who = somebody()
    assert "/line/connect/" in come_back(phone, fake)["Location"]
    assert phone.get("me/").status_code == 302

    phone.post("sign-in/line/connect/", {"address": PHONE})
    assert "/who/" in phone.post("sign-in/code/", {"code": phone.digits})["Location"]
    assert phone.post("sign-in/who/", {"birth_date": "1991-01-01"}).status_code == 422
    assert not PatientSession.objects.exists()
    phone.post("sign-in/who/", {"birth_date": "1990-03-05"})

    assert PatientSession.objects.get().patient_id == who
    bound = sealing.contact_values([who], "line")[who][0]
    assert (bound.value, bound.is_verified) == (LINE_USER, True)


def test_once_bound_line_signs_in_by_itself(organization, fake):
    somebody()
    bind(Phone(organization), fake)
    cache.clear()
    again = Phone(organization)

    come_back(again, fake)

    assert "王小明" in again.sees()
    assert PatientSession.objects.order_by("created_at").last().how == "line"


def test_a_line_id_that_nobody_proved_opens_nothing(phone, fake):
    somebody(line=LINE_USER)

    assert "/line/connect/" in come_back(phone, fake)["Location"]
    assert not PatientSession.objects.exists()


def test_a_family_on_one_line_account_says_who(organization, fake):
    somebody()
    bind(Phone(organization), fake)
    child = somebody("王小寶", phone="", born=date(2019, 9, 9))
    line.bind(patient_id=child, user_id=LINE_USER, now=now())
    cache.clear()
    again = Phone(organization)

    assert "/who/" in come_back(again, fake)["Location"]
    again.post("sign-in/who/", {"birth_date": "2019-09-09"})

    assert PatientSession.objects.order_by("created_at").last().patient_id == child


def test_line_is_disconnected(organization, fake):
    who = somebody()
    phone = Phone(organization)
    bind(phone, fake)

    phone.post("me/line/")

    assert who not in sealing.contact_values([who], "line")
    cache.clear()
    assert "/line/connect/" in come_back(Phone(organization), fake)["Location"]


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"}, {"aud": "999"}, {"exp": 1}, {"nonce": "another"}, {"sub": "x"}, {"exp": "soon"},
        {"aud": ["1234567890"]},
    ],
)  # fmt: skip
def test_claims_for_another_channel_issuer_time_or_browser_prove_nothing(claims):
    right = {
        "iss": login.ISSUER,
        "aud": CHANNEL.channel_id,
        "exp": int(now().timestamp()) + 60,
        "nonce": "n",
        "sub": LINE_USER,
    }
    assert user_of(right, channel=CHANNEL, nonce="n", now=now()) == LINE_USER

    with pytest.raises(LineLoginError):
        user_of(right | claims, channel=CHANNEL, nonce="n", now=now())


@pytest.mark.parametrize(
    "claims", [{"iss": "https://evil.example"}, {"aud": "999"}, {"exp": 1}, {"nonce": "another"}, {"sub": "x"}]
)
def test_a_token_line_verifies_for_somebody_else_is_refused(phone, fake, claims):
    somebody(line=LINE_USER)
    sql.execute("update patients_contact_point set verified_at = now()")

    assert come_back(phone, fake, **claims).status_code == 422
    assert not PatientSession.objects.exists()


def test_a_state_is_good_once_and_in_its_own_browser(phone, fake, organization):
    carried = go_to_line(phone)
    code = fake.issue(nonce=carried["nonce"])
    back = f"sign-in/line/back/?state={carried['state']}&code={code}"

    assert Phone(organization).get(back).status_code == 422
    assert phone.get(back).status_code == 302
    assert phone.get(back).status_code == 422
    assert phone.get(f"sign-in/line/back/?state=x&code={code}").status_code == 422


def test_the_code_is_exchanged_with_the_verifier_behind_the_challenge(phone, fake):
    import base64
    import hashlib

    carried = go_to_line(phone)
    phone.get(f"sign-in/line/back/?state={carried['state']}&code={fake.issue(nonce=carried['nonce'])}")

    _code, verifier, redirect = fake.asked[0]
    assert (
        base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        == carried["code_challenge"]
    )
    assert redirect == carried["redirect_uri"]


def test_the_token_of_a_liff_app_is_verified_by_line_and_good_once(organization, fake):
    who = somebody(line=LINE_USER)
    sql.execute("update patients_contact_point set verified_at = now() where system = 'line'")
    token = fake.issue()

    first = Phone(organization).post("sign-in/line/token/", {"id_token": token})
    again = Phone(organization).post("sign-in/line/token/", {"id_token": token})
    forged = Phone(organization).post("sign-in/line/token/", {"id_token": "header.made-up-by-somebody.signature"})

    assert (first.status_code, again.status_code, forged.status_code) == (302, 422, 422)
    assert PatientSession.objects.get().patient_id == who


def test_who_said_no_over_there_is_back_at_the_sign_in(phone, fake):
    carried = go_to_line(phone)

    assert phone.get(f"sign-in/line/back/?state={carried['state']}&error=access_denied")["Location"] == phone.url(
        "sign-in/"
    )


def test_without_a_login_channel_there_is_no_button_and_no_way(phone):
    assert "Sign in with LINE" in phone.sees("sign-in/")
    sql.execute("update messaging_channel_account set enabled = false where kind = 'line'")

    assert "Sign in with LINE" not in phone.sees("sign-in/")
    assert phone.post("sign-in/line/").status_code == 422


@pytest.fixture
def stand_in():
    """LINE's verify endpoint on this machine, as its reference answers."""
    import json
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            good = asked.get("id_token") == ["good"] and asked.get("client_id") == [CHANNEL.channel_id]
            good = good or (
                self.path.endswith("/token") and asked.get("code") == ["c"] and asked.get("code_verifier") == ["v"]
            )
            body = json.dumps({"sub": LINE_USER, "id_token": "good"} if good else {"error": "invalid_request"}).encode()
            self.send_response(200 if good else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_adapter_asks_lines_endpoints_and_trusts_nothing_else(stand_in):
    real = login.LineLogin(stand_in)

    assert real.claims_of(CHANNEL, id_token="good", nonce="")["sub"] == LINE_USER
    assert real.token_of(CHANNEL, code="c", verifier="v", redirect="r") == "good"
    for call in (
        lambda: real.claims_of(CHANNEL, id_token="bad", nonce="n"),
        lambda: real.token_of(CHANNEL, code="x", verifier="v", redirect="r"),
        lambda: login.LineLogin("http://127.0.0.1:1").claims_of(CHANNEL, id_token="good", nonce=""),
    ):
        with pytest.raises(LineLoginError):
            call()


# -- the code at the desk --------------------------------------------------------------------------------------------


def desk_code(patient_id, *, by=None):
    return inviting.invite(patient_id=patient_id, now=now(), by=by)


def connect_with(phone, fake, token, **more):
    """Open the desk's code, press the button, and come back from LINE."""
    sent = phone.post(f"line/{token}/")["Location"]
    carried = {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}
    code = fake.issue(**{"nonce": carried["nonce"], **more})
    return phone.get(f"sign-in/line/back/?state={carried['state']}&code={code}")


def test_the_desk_s_code_connects_the_patient_s_own_line_and_signs_in(phone, fake):
    who = somebody()
    token = desk_code(who)
    page = phone.sees(f"line/{token}/")
    assert "王○明" in page
    assert "王小明" not in page

    assert connect_with(phone, fake, token)["Location"].endswith("/line/connected/")

    bound = sealing.contact_values([who], "line")[who][0]
    assert (bound.value, bound.is_verified) == (LINE_USER, True)
    assert PatientSession.objects.get().patient_id == who
    assert "LINE is connected" in phone.sees("line/connected/")


def test_line_is_asked_to_offer_the_official_account(phone):
    sent = phone.post(f"line/{desk_code(somebody())}/")["Location"]

    assert "bot_prompt=aggressive" in sent


def test_opening_the_code_does_nothing(phone):
    who = somebody()
    token = desk_code(who)
    for _look in range(3):
        phone.sees(f"line/{token}/")

    assert inviting.look(token).patient_id == who
    assert who not in sealing.contact_values([who], "line")


def test_the_code_is_good_once(organization, fake):
    who = somebody()
    token = desk_code(who)
    connect_with(Phone(organization), fake, token)
    other = Phone(organization)

    assert other.get(f"line/{token}/").status_code == 410
    assert other.post(f"line/{token}/").status_code == 410
    assert len(sealing.contact_values([who], "line")[who]) == 1


def test_two_phones_that_went_to_line_with_one_code_connect_one_account(organization, fake):
    who = somebody()
    token = desk_code(who)
    first, second = Phone(organization), Phone(organization)
    carried = []
    for phone in (first, second):
        sent = phone.post(f"line/{token}/")["Location"]
        carried.append({name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()})
    answers = []
    for phone, mine, user in zip((first, second), carried, (LINE_USER, f"U{8:032x}"), strict=True):
        code = fake.issue(nonce=mine["nonce"], user=user)
        answers.append(phone.get(f"sign-in/line/back/?state={mine['state']}&code={code}").status_code)

    assert answers == [302, 410]
    assert [one.value for one in sealing.contact_values([who], "line")[who]] == [LINE_USER]


def test_a_newer_code_ends_the_one_before(phone):
    who = somebody()
    first = desk_code(who)
    second = desk_code(who)

    assert phone.get(f"line/{first}/").status_code == 410
    assert phone.get(f"line/{second}/").status_code == 200


def test_without_line_s_word_the_code_connects_nobody(phone, fake):
    who = somebody()
    token = desk_code(who)
    sent = phone.post(f"line/{token}/")["Location"]
    state = parse_qs(urlsplit(sent).query)["state"][0]

    assert phone.get(f"sign-in/line/back/?state={state}&code=made-up").status_code == 422
    assert who not in sealing.contact_values([who], "line")


def test_another_browser_cannot_finish_what_the_phone_began(organization, fake):
    who = somebody()
    phone, other = Phone(organization), Phone(organization)
    sent = phone.post(f"line/{desk_code(who)}/")["Location"]
    carried = {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}

    answer = other.get(f"sign-in/line/back/?state={carried['state']}&code={fake.issue(nonce=carried['nonce'])}")

    assert answer.status_code == 422
    assert who not in sealing.contact_values([who], "line")


def test_another_clinic_s_code_opens_nothing(phone, other_organization):
    with inside(other_organization):
        token = desk_code(somebody())

    assert phone.get(f"line/{token}/").status_code == 410


def test_the_audit_says_who_showed_the_code_and_whose_line_it_became(phone, fake):
    who, colleague = somebody(), uuid4()
    connect_with(phone, fake, desk_code(who, by=colleague))
    write_notes()

    noted = sql.rows(
        "select action, details from audit_event where action in ('contact_point.invited', 'portal.line_bound') order by number"
    )
    assert [one["action"] for one in noted] == ["contact_point.invited", "portal.line_bound"]
    assert noted[1]["details"]["invited_by"] == str(colleague)


# -- inside LINE's browser -------------------------------------------------------------------------------------------


def test_a_link_in_line_signs_in_without_a_tap(organization, fake):
    somebody()
    bind(Phone(organization), fake)
    cache.clear()
    again = Phone(organization)
    sent = again.get(f"line/?next=/p/{organization.slug}/visits/")["Location"]
    carried = {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}

    answer = again.get(f"sign-in/line/back/?state={carried['state']}&code={fake.issue(nonce=carried['nonce'])}")

    assert answer["Location"] == f"/p/{organization.slug}/visits/"
    assert "王小明" in again.sees()
    assert again.get("line/")["Location"] == f"/p/{organization.slug}/"


def test_the_link_in_line_never_leads_to_another_site(phone):
    carried = phone.get("line/?next=https://evil.example/")["Location"]

    assert carried.startswith("https://access.line.me/")
    assert "evil" not in carried
