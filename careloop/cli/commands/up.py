"""`careloop up`: everything on one machine, in one process tree."""

import argparse
import signal
from typing import Any

from careloop.cli.arguments import number
from careloop.cli.output import Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("up", parents=[shared], help="start database, web server and worker")
    command.add_argument("--demo", action="store_true", help="make the demo clinic first, if it is not there")
    command.add_argument(
        "--patients", type=number(1, 1_000_000), default=1200, help="size of a new demo clinic (default 1200)"
    )
    command.add_argument("--host", help="address to listen on (default: CARELOOP_HOST)")
    command.add_argument(
        "--port", type=number(0, 65535), help="port to listen on; 0 takes a free one (default: CARELOOP_PORT)"
    )
    command.add_argument("--workers", type=number(1, 64), help="web processes (default: CARELOOP_WORKERS)")
    command.set_defaults(run=run, needs_database=False, needs_django=False)


def run(options: argparse.Namespace, output: Output) -> int:
    import django

    from careloop.cli.processes import Supervisor, claim, ensure_demo, free_port
    from careloop.config.database import database
    from careloop.config.environment import environment
    from careloop.config.installation import prepare_database

    settings = environment()
    host = options.host or settings.host
    with claim():
        port = free_port(host, settings.port if options.port is None else options.port)
        # known before anything is written: links in the demo clinic's messages lead here, too
        settings.host, settings.port = host, port
        django.setup()
        cluster = database().cluster
        tree = Supervisor(output, host=host, port=port, workers=options.workers or settings.workers, cluster=cluster)
        # until the tree obeys signals itself, a signal ends the preparation at once, and the database with it
        for stop in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(stop, signal.default_int_handler)
        try:
            prepare_database(lambda step: output.say(f"preparing: {step}"))
            demo = ensure_demo(output, patients=options.patients) if options.demo else None
            tree.start()
            tree.wait_until_answering()
            if not tree.stopping:
                output.answer({"address": tree.address(), "demo": demo}, _welcome(tree.address(), demo))
            tree.watch()
        finally:
            output.say("stopping")
            tree.shut_down()
            if cluster is not None:
                cluster.stop()
    return 0


def _welcome(address: str, demo: dict[str, Any] | None) -> str:
    from careloop.cli.processes import sign_ins

    lines = ["", f"CareLoop 常伴 is running at {address}"]
    if demo:
        lines += ["", *sign_ins(demo)]
    lines += ["", "Stop with Ctrl-C, or from another terminal: careloop down", ""]
    return "\n".join(lines)
