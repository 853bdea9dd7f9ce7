"""`careloop keys rotate|show`."""

import argparse
from typing import Any

from careloop.cli.output import Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("keys", help="the keys that seal identifiers")
    actions = command.add_subparsers(title="actions", required=True, metavar="ACTION")
    rotate = actions.add_parser("rotate", parents=[shared], help="make a new master key and re-wrap every data key")
    rotate.set_defaults(run=run_rotate)
    show = actions.add_parser("show", parents=[shared], help="list key versions by fingerprint")
    show.set_defaults(run=run_show)


def run_rotate(options: argparse.Namespace, output: Output) -> int:
    from django.utils import timezone

    from careloop.patients import keys

    done = keys.rotate(now=timezone.now(), progress=output.progress)
    output.answer(done, f"Key version {done['version']} is in use; {done['rewrapped']} data keys were re-wrapped.")
    return 0


def run_show(options: argparse.Namespace, output: Output) -> int:
    from careloop.kernel.vault import fingerprint, keyring

    ring = keyring()
    versions = {str(version): fingerprint(key) for version, key in sorted(ring.masters.items())}
    lines = [
        f"Key version {version}  {mark}{'  in use' if version == str(ring.current) else ''}"
        for version, mark in versions.items()
    ]
    output.answer({"current": ring.current, "versions": versions}, "\n".join(lines))
    return 0
