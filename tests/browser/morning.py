"""The first hours of a clinic's day, when the daily rounds run: `python -m tests.browser.morning ORGANIZATION`."""

import sys
from uuid import UUID

import django


def main() -> None:
    django.setup()
    from django.utils import timezone

    from careloop.audit.services import Actor, acting_as
    from careloop.loyalty.thanks import greetings
    from careloop.tenancy.context import in_organization

    with acting_as(Actor("command", name="morning", via="command")), in_organization(UUID(sys.argv[1])):
        greetings.plan_day(now=timezone.now())


if __name__ == "__main__":
    main()
