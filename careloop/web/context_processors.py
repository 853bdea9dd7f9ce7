"""What the shell needs on every page, worked out only if the page shows it."""

from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import get_script_prefix
from django.utils.translation import get_language

from careloop.accounts import selectors
from careloop.web import frame, navigation
from careloop.web.colours import DEFAULT_ACCENT

THEME_COOKIE = "careloop_theme"
THEMES = ("light", "dark", "auto")


class Shell:
    """Navigation, theme, organization and languages for one request."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def member(self) -> Any:
        """The membership of the person at the screen, or None."""
        return getattr(self._request, "member", None)

    @cached_property
    def organization(self) -> Any:
        """The organization the member works in, or None before sign-in."""
        return self.member.organization if self.member else None

    @cached_property
    def workplaces(self) -> list[selectors.Workplace]:
        """The other organizations the person may switch to; costs a query only for those who have some."""
        if self.member is None or getattr(self.member, "workplaces", 1) < 2:
            return []
        return [
            one
            for one in selectors.workplaces(self.member.user_id)
            if one.organization_id != self.member.organization_id
        ]

    @cached_property
    def role_label(self) -> object:
        """The member's role in the reader's language."""
        return self.member.get_role_display() if self.member else ""

    @property
    def head(self) -> str:
        """The bar on top of a member's page."""
        user: Any = self._request.user
        signed = frame.Signed(
            organization=self.organization.name if self.organization else "", name=user.name, email=user.email,
            role=str(self.role_label), workplaces=tuple(self.workplaces), theme=self.theme,
        )  # fmt: skip
        return frame.head(self._request, signed)

    @property
    def words(self) -> str:
        """What the page's scripts say to the reader."""
        return frame.words()

    @property
    def navigation(self) -> str:
        """The navigation with the current page marked."""
        return frame.navigation(navigation.sections_for(self._request), navigation.foot_for(self._request))

    @property
    def theme(self) -> str:
        """light, dark, or auto (as the device says)."""
        chosen = self._request.COOKIES.get(THEME_COOKIE, "auto")
        return chosen if chosen in THEMES else "auto"

    @property
    def accent_url(self) -> str:
        """The style sheet with the organization's colour."""
        colour = getattr(self.organization, "accent_color", "") or DEFAULT_ACCENT
        return frame.accent_url(colour.lstrip("#").lower(), get_script_prefix())

    @property
    def language_tag(self) -> str:
        """The language of the page as HTML wants it."""
        return frame.LANGUAGE_TAGS.get(get_language() or "", get_language() or "en")

    @property
    def languages(self) -> list[dict[str, object]]:
        """The languages to choose from."""
        return frame.languages_offered()


def shell(request: HttpRequest) -> dict[str, object]:
    """Give templates `shell` (see Shell) and `member`."""
    return {"shell": Shell(request), "member": getattr(request, "member", None)}
