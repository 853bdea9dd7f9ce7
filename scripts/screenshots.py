"""Photograph pages of a running server: on a desk and on a phone, light and dark, in two languages.

    python scripts/screenshots.py http://127.0.0.1:8400 OUT --email E --password P /gallery/ list=/patients/

A page is a path, or NAME=PATH to say how its file is called. Without --email pages are opened as a
stranger. Anything the browser complains about (scripts, the content policy, missing files) is printed, and
makes the exit code 1.
"""

import argparse
import itertools
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SIZES = {"desk": (1366, 768), "phone": (390, 844)}
THEMES = ("light", "dark")
LANGUAGES = ("zh-hant", "en")


@contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium; Playwright's own where there is none."""
    with sync_playwright() as playwright:
        path = CHROMIUM if Path(CHROMIUM).exists() else None
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


def sign_in(page: Page, server: str, email: str, password: str) -> None:
    """Sign in as a person would."""
    page.goto(urljoin(server, "/accounts/login/"))
    page.fill('input[name="login"]', email)
    page.fill('input[name="password"]', password)
    form = page.locator('form:has(input[name="password"])')
    form.locator('button[type="submit"], button:not([type])').first.click()
    page.wait_for_load_state()
    if "/login" in page.url:
        raise SystemExit(f"could not sign in as {email}")


def dress(context: BrowserContext, server: str, *, theme: str, language: str) -> None:
    """Choose theme and language by the cookies the shell uses."""
    context.add_cookies([
        {"name": "careloop_theme", "value": theme, "url": server},
        {"name": "careloop_language", "value": language, "url": server},
    ])  # fmt: skip


def photograph(page: Page, url: str, file: Path, *, whole: bool) -> None:
    """Open `url`, wait until it is quiet, and write a PNG."""
    page.goto(url, wait_until="load")
    # what is outside the window is not drawn until it comes near (content-visibility): here it must be
    page.evaluate(
        "for (const one of document.querySelectorAll('.cl-timeline-item')) one.style.contentVisibility = 'visible'"
    )
    page.wait_for_timeout(700 if page.locator("[data-chart]").count() else 250)
    file.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(file), full_page=whole)


def sideways(page: Page) -> int:
    """How many pixels the page is wider than its window; a phone page must not scroll sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def named(text: str) -> tuple[str, str]:
    """Split NAME=PATH; a path alone names itself."""
    if re.match(r"^[\w-]+=/", text):
        name, _, path = text.partition("=")
        return name, path
    return re.sub(r"\W+", "-", text).strip("-") or "home", text


def main() -> None:
    """Walk the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("folder", type=Path)
    parser.add_argument("pages", nargs="+")
    parser.add_argument("--email")
    parser.add_argument("--password")
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES))
    parser.add_argument("--themes", nargs="*", choices=THEMES, default=list(THEMES))
    parser.add_argument("--languages", nargs="*", choices=("zh-hant", "zh-hans", "en"), default=list(LANGUAGES))
    parser.add_argument("--window", action="store_true", help="only what the window shows, not the whole page")
    options = parser.parse_args()

    complaints: list[str] = []
    with browser() as chromium:
        state = None
        if options.email:
            with chromium.new_context() as context:
                sign_in(context.new_page(), options.server, options.email, options.password or "")
                state = context.storage_state()
        for size, theme, language in itertools.product(options.sizes, options.themes, options.languages):
            width, height = SIZES[size]
            with chromium.new_context(
                viewport={"width": width, "height": height}, storage_state=state, locale=language,
                is_mobile=size == "phone", has_touch=size == "phone",
            ) as context:  # fmt: skip
                dress(context, options.server, theme=theme, language=language)
                page = context.new_page()
                page.on(
                    "console",
                    lambda message: message.type in ("error", "warning") and complaints.append(message.text),
                )
                page.on("pageerror", lambda error: complaints.append(str(error)))
                for name, path in map(named, options.pages):
                    file = options.folder / f"{name}-{size}-{theme}-{language}.png"
                    photograph(page, urljoin(options.server, path), file, whole=not options.window)
                    if (extra := sideways(page)) > 0:
                        complaints.append(f"{path} ({size}): {extra} px wider than the window")
                    print(file)
    for complaint in dict.fromkeys(complaints):
        print("complaint:", complaint, file=sys.stderr)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
