"""A real installation and a real browser, for the tests of this folder."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser import installation as installing
from tests.browser.installation import BUILD, ROOT, Installation

sys.path.append(str(ROOT / "scripts"))
from screenshots import FLAGS

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
SIZES = {"desk": (1366, 768), "phone": (390, 844)}

expect.set_options(timeout=60_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The system's Chromium. It is gone when the next package's tests begin, because its event loop would be in their way."""
    path = next((found for name in CHROMIUMS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(CHROMIUMS)})")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="session")
def assets() -> None:
    """The pages' styles and scripts and the compiled translations, as they are now."""
    if shutil.which("node") is None and not BUILD.exists():
        pytest.skip("the assets are not built, and there is no Node to build them")
    built = subprocess.run(
        [sys.executable, "scripts/build_assets.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if built.returncode and not BUILD.exists():
        pytest.skip(f"the assets cannot be built: {built.stderr[-500:]}")


@pytest.fixture(scope="package")
def installation(
    assets: None, django_db_setup: str, django_db_blocker: Any, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Web server, worker, mail server and LINE, with a small demo clinic in a database of its own."""
    if not any(map(shutil.which, CHROMIUMS)):
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(CHROMIUMS)})")
    from careloop.config.database import database
    from careloop.kernel.postgres import create_database, drop_database

    administrator, name = database().administrator(), f"careloop_browser_{worker_id}"
    with django_db_blocker.unblock():
        drop_database(administrator, name)
        create_database(administrator, name, template="careloop_template")
    one = installing.start(tmp_path_factory.mktemp("installation"), database=name)
    try:
        yield one
    finally:
        one.stop()
        with django_db_blocker.unblock():
            drop_database(administrator, name)


@pytest.fixture(scope="package")
def signed_in(installation: Installation, chromium: Browser) -> Callable[[str], Any]:
    """Sign in once a role, as a person would, and return the cookies."""
    states: dict[str, Any] = {}

    def state_of(role: str) -> Any:
        if role not in states:
            with chromium.new_context(base_url=installation.url) as context:
                page = context.new_page()
                sign_in(page, installation, role)
                states[role] = context.storage_state()
        return states[role]

    return state_of


def sign_in(page: Page, installation: Installation, role: str) -> None:
    page.goto("/accounts/login/")
    page.fill('input[name="login"]', installation.known["users"][role])
    page.fill('input[name="password"]', installation.known["password"])
    page.press('input[name="password"]', "Enter")
    page.wait_for_url(lambda url: "/login" not in url)


@pytest.fixture
def open_as(
    installation: Installation, chromium: Browser, signed_in: Callable[[str], Any]
) -> Iterator[Callable[..., BrowserContext]]:
    """Open a browser window signed in as a role: `open_as("front_desk", language="en", size="phone", theme="dark")`."""
    opened: list[BrowserContext] = []

    def open_window(
        role: str = "", *, language: str = "en", size: str = "desk", theme: str = "light", **more: Any
    ) -> BrowserContext:
        width, height = SIZES[size]
        context = chromium.new_context(
            base_url=installation.url, viewport={"width": width, "height": height}, is_mobile=size == "phone", has_touch=size == "phone",
            storage_state=signed_in(role) if role else None, locale=language, **more,
        )  # fmt: skip
        context.add_cookies(
            [
                {"name": "careloop_theme", "value": theme, "url": installation.url},
                {"name": "careloop_language", "value": language, "url": installation.url},
            ]
        )
        context.set_default_timeout(60_000)
        opened.append(context)
        return context

    yield open_window
    for context in opened:
        context.close()
