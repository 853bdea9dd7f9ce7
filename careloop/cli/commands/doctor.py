"""`careloop doctor`: what is wrong with this installation, and how to mend it."""

import argparse
from typing import Any

from careloop.cli.output import Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("doctor", parents=[shared], help="say what is wrong and how to mend it")
    command.set_defaults(run=run, needs_database=False, needs_django=False)


def run(options: argparse.Namespace, output: Output) -> int:
    from careloop.cli.checkup import examine

    findings = examine()
    marks = {"ok": "ok  ", "warning": "WARN", "error": "FAIL"}
    lines = [f"{marks[f.level]}  {f.what}" + (f"\n      → {f.cure}" if f.cure else "") for f in findings]
    broken = any(finding.level == "error" for finding in findings)
    output.answer(
        {"healthy": not broken, "findings": [vars(finding) for finding in findings]},
        "\n".join([*lines, "", "Something needs mending." if broken else "All is well."]),
    )
    return 1 if broken else 0
