"""`careloop organization create|list`."""

import argparse
from typing import Any

from careloop.cli.output import Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("organization", help="make and list organizations")
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    create = actions.add_parser("create", parents=[shared], help="make an empty organization")
    create.add_argument("slug", help="short name: lower-case letters, digits, hyphens")
    create.add_argument("--name", required=True, help="the clinic's name")
    create.add_argument("--legal-profile", choices=["TW", "CN", "INTL"], default="TW", help="whose law applies")
    create.add_argument(
        "--language",
        choices=["zh-hant", "zh-hans", "en"],
        default="zh-hant",
        help="of staff and patients who chose none",
    )
    create.add_argument("--time-zone", help="such as Asia/Taipei (default: CARELOOP_TIME_ZONE)")
    create.add_argument("--currency", default="TWD", help="ISO 4217 code")
    create.set_defaults(run=run_create)
    listing = actions.add_parser("list", parents=[shared], help="list organizations")
    listing.set_defaults(run=run_list)


def run_create(options: argparse.Namespace, output: Output) -> int:
    from zoneinfo import available_timezones

    from django.core.exceptions import ValidationError
    from django.utils import timezone

    from careloop.cli.output import CommandFailed, in_own_words
    from careloop.config.environment import environment
    from careloop.kernel.money import DECIMALS
    from careloop.tenancy.services import create_organization

    zone = options.time_zone or environment().time_zone
    if zone not in available_timezones():
        raise CommandFailed(f"there is no time zone “{zone}”; write it like Asia/Taipei")
    if options.currency not in DECIMALS:
        raise CommandFailed(f"money in “{options.currency}” is not known; choose one of: {', '.join(DECIMALS)}")
    try:
        made = create_organization(
            slug=options.slug, name=options.name, now=timezone.now(), legal_profile=options.legal_profile,
            language=options.language, time_zone=zone, currency=options.currency,
        )  # fmt: skip
    except ValidationError as error:
        if any(one.code == "invalid" for one in error.error_dict.get("slug", ())):
            raise CommandFailed(
                f"slug: “{options.slug}” cannot be a short name: write lower-case letters, digits and hyphens, such as anxin-dental"
            ) from None
        with in_own_words():
            raise CommandFailed(
                "; ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
            ) from None
    output.answer(
        {"id": made.id, "slug": made.slug},
        f"Made {made.slug}. Next: careloop user create EMAIL --organization {made.slug} --role owner",
    )
    return 0


def run_list(options: argparse.Namespace, output: Output) -> int:
    from careloop.tenancy.services import organization_ids

    slugs = [slug for _id, slug in organization_ids()]
    output.answer({"organizations": slugs}, "\n".join(slugs) or "no organizations yet")
    return 0
