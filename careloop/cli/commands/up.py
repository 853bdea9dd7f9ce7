"""`careloop up`: everything on one machine, in one process tree."""

import argparse
from typing import Any

from careloop.cli.output import CommandFailed, Output


def register(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = commands.add_parser("up", parents=[shared], help="start database, web server and worker")
    command.add_argument("--demo", action="store_true", help="make the demo clinic first, if it is not there")
    command.add_argument("--host", help="address to listen on (default: CARELOOP_HOST)")
    command.add_argument("--port", type=int, help="port to listen on; 0 takes a free one (default: CARELOOP_PORT)")
    command.add_argument("--workers", type=int, help="web processes (default: CARELOOP_WORKERS)")
    command.set_defaults(run=run, needs_database=False)


def run(options: argparse.Namespace, output: Output) -> int:
    from careloop.cli.processes import Supervisor, ensure_demo, free_port, running_pid
    from careloop.config.database import database
    from careloop.config.environment import environment
    from careloop.config.installation import prepare_database

    settings = environment()
    if (pid := running_pid()) is not None:
        raise CommandFailed(f"CareLoop is running already (process {pid}); stop it with: careloop down")
    host = options.host or settings.host
    port = free_port(host, settings.port if options.port is None else options.port)
    prepare_database(lambda step: output.say(f"preparing: {step}"))
    demo = ensure_demo(output) if options.demo else None
    tree = Supervisor(output, host=host, port=port, workers=options.workers or settings.workers)
    try:
        tree.start()
        tree.wait_until_answering()
        address = f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0') else host}:{port}/"
        output.answer({"address": address, "demo": demo}, _welcome(address, demo))
        tree.watch()
    finally:
        output.say("stopping")
        tree.shut_down()
        cluster = database().cluster
        if cluster is not None:
            cluster.stop()
    return 0


def _welcome(address: str, demo: dict[str, Any] | None) -> str:
    lines = ["", f"CareLoop 常伴 is running at {address}"]
    if demo:
        lines += ["", "Demo sign-ins (password for all: " + demo["password"] + ")"]
        lines += [f"  {user['email']:32} {user['name']} · {user['role']}" for user in demo["users"]]
    lines += ["", "Stop with Ctrl-C, or from another terminal: careloop down", ""]
    return "\n".join(lines)
