"""What the walks do alike."""

from playwright.sync_api import Locator, Page

SOON = 120_000  # milliseconds: the worker's turn, on a machine that is busy with other tests


def send(page: Page, button: Locator) -> None:
    """Press a form's button or follow a link, and wait until the page that answers is there as a whole.

    A click alone waits until that page begins; whoever counts buttons then may find none yet, and whoever goes elsewhere
    may take back what was just sent.
    """
    with page.expect_navigation():
        button.click()
