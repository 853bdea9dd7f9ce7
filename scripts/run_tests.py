"""Run every test, with as many processes as there are cores, in an environment that cannot surprise them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# what a developer's own shell may hold must not decide whether tests pass
UNWANTED = (
    "DATABASE_URL",
    "DJANGO_SETTINGS_MODULE",
    "LANGUAGE",
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
)


def main() -> int:
    environment = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    environment = {
        name: value
        for name, value in environment.items()
        if not name.startswith("CARELOOP_") or name.startswith("CARELOOP_TEST_")
    }
    cores = max(2, min(os.cpu_count() or 2, 8))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        str(cores),
        "--dist",
        "worksteal",
        "--durations",
        "15",
        *sys.argv[1:],
    ]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
