"""`careloop bench NAME`: measure, beside this machine's own limit in the same run."""

import argparse
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from careloop.cli.output import Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    import careloop.bench

    command = commands.add_parser("bench", help="measure, beside this machine's limit")
    names = command.add_subparsers(title="benches", required=True, metavar="NAME")
    for found in iter_modules(careloop.bench.__path__):
        if found.name.startswith("_"):
            continue
        module = import_module(f"careloop.bench.{found.name}")
        if not hasattr(module, "NAME"):
            continue
        one = names.add_parser(module.NAME, parents=[shared], help=(module.__doc__ or "").strip().splitlines()[0])
        module.add_arguments(one)
        one.set_defaults(run=run, bench=found.name)


def run(options: argparse.Namespace, output: Output) -> int:
    module = import_module(f"careloop.bench.{options.bench}")
    answer = module.run(options, output.say)
    lines = [f"{answer['bench']}  {answer['size']}"]
    for title in ("figures", "limits", "ratios"):
        lines += [f"  {title}:"] + [f"    {name:40} {value}" for name, value in answer.get(title, {}).items()]
    output.answer(answer, "\n".join(lines))
    return 0
