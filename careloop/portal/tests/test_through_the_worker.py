"""The code on its whole way: asked for, sent by the worker, on the sandbox phone."""

from careloop.messaging.dispatch import send_due
from careloop.messaging.tests.support import phone_of
from careloop.portal import codes
from careloop.portal.tests.support import now, open_clinic, somebody
from careloop.tenancy.context import in_organization


def test_the_whole_way_with_a_worker_brings_the_code_to_the_sandbox_phone(committed_organization):
    with in_organization(committed_organization.id):
        open_clinic()
        who = somebody(phone="0933-333-333")
        one = codes.ask(
            address=codes.read_address("0933-333-333"), purpose="SIGN_IN", browser_hash=b"x", language="en", now=now()
        )
        digits = codes.digits_of(one)
    with in_organization(committed_organization.id):
        codes.send(code_id=one.pk, now=now())
    send_due(committed_organization.id)
    with in_organization(committed_organization.id):
        assert digits in phone_of(who)[-1]["text"]
