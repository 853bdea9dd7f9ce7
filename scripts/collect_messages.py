"""Collect the strings of every slice into its own catalogues: careloop/<slice>/locale/<language>/LC_MESSAGES/django.po."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "careloop"


def slices() -> list[Path]:
    """Every folder that keeps catalogues of its own."""
    return sorted(path.parent for path in PACKAGE.rglob("locale") if path.is_dir() and "node_modules" not in path.parts)


def collect(folder: Path, languages: list[str]) -> None:
    """Run makemessages inside one slice; nested slices with catalogues of their own are left out."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "django",
        "makemessages",
        "--no-wrap",
        "--no-location",
        "--no-obsolete",
        "-v",
        "0",
    ]
    for language in languages:
        command += ["-l", language]
    for nested in slices():
        if folder in nested.parents:
            command += ["-i", f"{nested.relative_to(folder)}/*"]
    command += ["-i", "tests/*"]
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(command, cwd=folder, check=True, env=environment)
    for catalogue in folder.glob("locale/*/LC_MESSAGES/django.po"):
        # the moment of collecting is no change
        text = re.sub(r'"POT-Creation-Date:[^"]*"\n', "", catalogue.read_text())
        catalogue.write_text(text)


def main() -> int:
    languages = sys.argv[1:] or ["zh_Hant", "zh_Hans"]
    for folder in slices():
        collect(folder, languages)
        print(folder.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
