"""`careloop user create`: a staff user, for the first sign-in of an organization."""

import argparse
import getpass
import sys
from typing import Any

from careloop.cli.output import CommandFailed, Output, in_own_words


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("user", help="make staff users")
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    create = actions.add_parser("create", parents=[shared], help="make a staff user with a role")
    create.add_argument("email", help="what the user signs in with")
    create.add_argument("--name", default="", help="as colleagues know them")
    create.add_argument("--role", default="owner", help="see permissions and roles (default owner)")
    create.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    create.set_defaults(run=run_create)


def run_create(options: argparse.Namespace, output: Output) -> int:
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError
    from django.core.validators import validate_email

    from careloop.accounts.models import Membership, User
    from careloop.accounts.permissions import ROLES
    from careloop.audit.services import Actor, acting_as, record
    from careloop.tenancy.context import in_organization
    from careloop.tenancy.services import find_organization

    if options.role not in ROLES:
        raise CommandFailed(f"there is no role “{options.role}”; choose one of: {', '.join(ROLES)}")
    organization_id = find_organization(options.organization)
    try:
        validate_email(options.email)
    except ValidationError:
        raise CommandFailed(f"“{options.email}” is no e-mail address") from None
    try:
        password = sys.stdin.readline().rstrip("\n") if options.password_stdin else getpass.getpass("Password: ")
    except EOFError:
        raise CommandFailed("no password was given; type one, or send it with --password-stdin") from None
    try:
        validate_password(password, User(email=options.email))
    except ValidationError as error:
        with in_own_words():
            raise CommandFailed(" ".join(error.messages)) from None
    with in_organization(organization_id), acting_as(Actor("command", name=getpass.getuser(), via="command")):
        if User.objects.filter(email=options.email.lower()).exists():
            raise CommandFailed(f"{options.email} is a user already; give roles in Settings, Staff")
        user = User.objects.create_user(options.email, password, name=options.name)
        Membership.objects.create(user=user, role=options.role)
        record("staff.created", target=("user", user.pk), details={"role": options.role})
    output.answer({"id": user.pk, "email": user.email}, f"{user.email} can sign in as {options.role}.")
    return 0
