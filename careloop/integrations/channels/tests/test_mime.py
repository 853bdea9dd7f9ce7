"""What a mail looks like when a mail program opens it."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careloop.integrations.channels.smtp.mime import Composer, address, header_text
from careloop.messaging.ports import Attachment, ChannelError, Link, Outgoing, QuickReply, Reason

KEY = UUID("018f0000-0000-7000-8000-000000000001")


def mail(text: str = "您好", composer: Composer | None = None, **fields: object) -> EmailMessage:
    composer = composer or Composer(sender="hello@clinic.example", sender_name="好牙診所")
    message = Outgoing(id=1, key=KEY, to="ming@example.com", text=text, **fields)  # type: ignore[arg-type]
    raw = composer.compose(message, "ming@example.com")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 200
    return message_from_bytes(raw, policy=policy.SMTP)  # type: ignore[return-value]


def text_of(opened: EmailMessage, kind: str = "plain") -> str:
    body = opened.get_body((kind,))
    assert body is not None
    return body.get_content().replace("\r\n", "\n")


def test_a_mail_says_from_whom_to_whom_and_which_message_it_is():
    opened = mail(subject="洗牙提醒", language="zh-Hant")

    assert opened["From"] == "好牙診所 <hello@clinic.example>"
    assert opened["To"] == "ming@example.com"
    assert opened["Subject"] == "洗牙提醒"
    assert opened["Message-ID"] == f"<{KEY.hex}@clinic.example>"
    assert opened["Content-Language"] == "zh-Hant"
    assert opened["Date"].datetime is not None
    assert opened.defects == []
    assert text_of(opened) == "您好\n"


def test_a_marketing_mail_can_be_left_with_one_click():
    opened = mail(message_class="MARKETING", unsubscribe_url="https://clinic.example/u/abc?d=1")

    assert opened["List-Unsubscribe"] == "<https://clinic.example/u/abc?d=1>"
    assert opened["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert opened["Auto-Submitted"] is None


def test_a_marketing_mail_without_a_way_out_is_not_made():
    with pytest.raises(ChannelError) as refused:
        mail(message_class="MARKETING")

    assert refused.value.reason is Reason.REFUSED


def test_a_care_mail_asks_vacation_robots_to_stay_quiet():
    assert mail(message_class="CARE")["Auto-Submitted"] == "auto-generated"


def test_answers_and_links_stand_under_the_text_with_their_addresses():
    opened = mail(
        "請回覆",
        quick_replies=(
            QuickReply("我要預約", data="book", url="https://c.example/a/1"),
            QuickReply("不用了"),
        ),
        links=(Link("地圖", "https://c.example/map"),),
    )

    assert text_of(opened) == "請回覆\n\n我要預約\nhttps://c.example/a/1\n\n地圖\nhttps://c.example/map\n"


def test_html_comes_with_its_plain_text():
    opened = mail("純文字", html="<p>好看的<b>文字</b></p>")

    assert opened.get_content_type() == "multipart/alternative"
    assert text_of(opened) == "純文字\n"
    assert text_of(opened, "html") == "<p>好看的<b>文字</b></p>"


@pytest.mark.parametrize("evil", ["a\r\nBcc: x@y.zz", "a\nb", "a\rb", "a\x00b", "a\u2028b", "a\x85b"])
def test_no_header_can_be_smuggled_in(evil):
    for fields in ({"subject": evil}, {"language": evil}, {"unsubscribe_url": f"https://c.example/{evil}"}):
        with pytest.raises(ChannelError):
            mail(**fields)
    with pytest.raises(ChannelError):
        Composer(sender="hello@clinic.example", sender_name=evil)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://c.example/<x>", "https://c.example/a b", "ftp://c"])
def test_an_unsubscribe_address_must_be_a_plain_web_address(url):
    with pytest.raises(ChannelError):
        mail(unsubscribe_url=url)


@pytest.mark.parametrize(
    ("given", "wire"),
    [
        ("ming@example.com", "ming@example.com"),
        (" ming+tag@Example.COM ", "ming+tag@Example.COM"),
        ("o'neil.x@a-b.example", "o'neil.x@a-b.example"),
        ("ming@診所.台灣", "ming@xn--8ouu30g.xn--kpry57d"),
    ],
)
def test_an_address_goes_on_the_wire_in_ascii(given, wire):
    assert address(given) == wire


@pytest.mark.parametrize(
    "wrong", ["", "ming", "@example.com", "ming@", "a b@example.com", "明@example.com", "a..b@example.com",
              "a@b@example.com", "<a@example.com>", "a@-x.example", "a@example.com\r\nDATA",
              "x" * 65 + "@example.com"]
)  # fmt: skip
def test_what_cannot_be_an_address_is_refused_without_repeating_it(wrong):
    with pytest.raises(ChannelError) as refused:
        address(wrong)

    assert refused.value.reason is Reason.BAD_ADDRESS
    assert wrong.strip() == "" or wrong not in str(refused.value)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=300))
def test_any_subject_comes_out_as_it_went_in(text):
    encoded = header_text(text)

    assert all(len(line) <= 76 for line in encoded.split(b"\r\n ")) or encoded.isascii()
    assert encoded.isascii()
    from email.header import decode_header, make_header

    assert str(make_header(decode_header(encoded.decode("ascii").replace("\r\n", "")))) == text or text != text.strip()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_any_text_comes_out_as_it_went_in(text):
    normal = (text + "\n").replace("\r\n", "\n").replace("\r", "\n")

    opened = mail(text)

    body = opened.get_body(("plain",))
    assert body is not None
    content = body.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.decode("utf-8") == normal.replace("\n", "\r\n")


def test_a_quoted_name_survives():
    composer = Composer(sender="a@clinic.example", sender_name='Dr. "Ming" \\ Clinic', reply_to="desk@clinic.example")

    opened = mail(composer=composer)

    assert opened["From"].addresses[0].display_name == 'Dr. "Ming" \\ Clinic'
    assert opened["Reply-To"] == "desk@clinic.example"


CALENDAR = Attachment(
    "appointment.ics",
    'text/calendar; charset=utf-8; method=REQUEST; name="appointment.ics"',
    "BEGIN:VCALENDAR\r\nSUMMARY:看診\r\n".encode(),
)


@pytest.mark.parametrize("page", ["", "<p>您好</p>"])
def test_a_file_goes_with_the_words(page):
    opened = mail(subject="預約", html=page, attachments=(CALENDAR,))

    assert opened.get_content_type() == "multipart/mixed"
    assert text_of(opened) == "您好\n"
    assert (opened.get_body(("html",)) is not None) == bool(page)
    (file,) = opened.iter_attachments()
    assert (file.get_content_type(), file.get_param("method"), file.get_filename()) == (
        "text/calendar",
        "REQUEST",
        "appointment.ics",
    )
    assert file.get_payload(decode=True) == CALENDAR.content


@pytest.mark.parametrize("name", ['a".ics', "看診.ics", "a\r\nBcc: x@y.z"])
def test_the_name_of_a_file_cannot_break_the_mail(name):
    with pytest.raises(ChannelError):
        mail(attachments=(Attachment(name, "text/calendar", b"x"),))
