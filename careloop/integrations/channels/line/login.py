"""LINE Login: where a patient is sent to say who they are, and LINE's word about it, asked for on the server.

Nothing a browser says about a LINE user is believed: an ID token goes back to LINE's verify endpoint together with our channel and
nonce, and its claims are looked at once more here.

Source: LINE Login v2.1 API reference, "Verify ID token" and "Issue access token" (channels.md, [LINE-liff]).
"""

import asyncio
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlencode

import orjson

from careloop.messaging.channels import opened_settings
from careloop.messaging.models import ChannelAccount

ISSUER = "https://access.line.me"
AUTHORIZE = f"{ISSUER}/oauth2/v2.1/authorize"
USER_ID = re.compile(r"U[0-9a-f]{32}\Z")
LONGEST_TOKEN = 5000
TIMEOUT_SECONDS = 8.0
# clocks differ a little
LEEWAY_SECONDS = 60


class LineLoginError(Exception):
    """LINE did not confirm who it is; the text names no person."""


@dataclass(frozen=True)
class LoginChannel:
    """A LINE Login channel (or LIFF app) of the clinic. It must belong to the same provider as the official account:
    user ids differ between providers."""

    channel_id: str
    secret: str


def channel() -> LoginChannel | None:
    """Return the clinic's LINE Login channel, if it has set one up."""
    account = ChannelAccount.objects.filter(kind="line", enabled=True).order_by("-is_default", "pk").first()
    if account is None or not account.settings.get("login_channel_id"):
        return None
    found = opened_settings(account)
    secret = str(found.get("login_channel_secret") or "")
    return LoginChannel(str(found["login_channel_id"]), secret) if secret else None


def is_set_up() -> bool:
    return channel() is not None


class Login(Protocol):
    """Asks LINE. Tests put a stand-in here."""

    def token_of(self, channel: LoginChannel, *, code: str, verifier: str, redirect: str) -> str: ...

    def claims_of(self, channel: LoginChannel, *, id_token: str, nonce: str) -> dict[str, Any]: ...


def authorize_url(
    channel: LoginChannel, *, redirect: str, state: str, nonce: str, challenge: str, language: str,
    asks_friend: bool = False,
) -> str:  # fmt: skip
    """Return where the browser goes; LINE's own browser comes back at once, others after the sign-in there.

    Args:
        asks_friend: LINE also offers to add the clinic's official account, without which it delivers no messages.
    """
    return f"{AUTHORIZE}?" + urlencode({
        "response_type": "code", "client_id": channel.channel_id, "redirect_uri": redirect, "state": state,
        "scope": "openid profile", "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256",
        "ui_locales": {"zh-hant": "zh-TW", "zh-hans": "zh-CN"}.get(language, "en"),
        **({"bot_prompt": "aggressive"} if asks_friend else {}),
    })  # fmt: skip


def user_of(claims: dict[str, Any], *, channel: LoginChannel, nonce: str, now: datetime) -> str:
    """Return the LINE user id that these claims prove.

    Args:
        nonce: what this browser was given; empty for a token from a LIFF app, which has none.

    Raises:
        LineLoginError: another issuer or channel, too old, another nonce, or no user.
    """
    audience = claims.get("aud")
    if claims.get("iss") != ISSUER:
        raise LineLoginError("issuer")
    if audience != channel.channel_id:
        raise LineLoginError("audience")
    if not isinstance(claims.get("exp"), int | float) or claims["exp"] < now.timestamp() - LEEWAY_SECONDS:
        raise LineLoginError("expired")
    if str(claims.get("nonce") or "") != nonce:
        raise LineLoginError("nonce")
    user = str(claims.get("sub", ""))
    if not USER_ID.match(user):
        raise LineLoginError("user")
    return user


class LineLogin:
    """Fulfils `Login` over HTTP. The host is the installation's, not the clinic's."""

    def __init__(self, host: str) -> None:
        self._host = host.rstrip("/")

    def token_of(self, channel: LoginChannel, *, code: str, verifier: str, redirect: str) -> str:
        answer = self._post("/oauth2/v2.1/token", {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "client_id": channel.channel_id,
            "client_secret": channel.secret, "code_verifier": verifier,
        })  # fmt: skip
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise LineLoginError("no token")
        return token

    def claims_of(self, channel: LoginChannel, *, id_token: str, nonce: str) -> dict[str, Any]:
        asked = {"id_token": id_token, "client_id": channel.channel_id}
        return self._post("/oauth2/v2.1/verify", asked | ({"nonce": nonce} if nonce else {}))

    def _post(self, path: str, data: dict[str, str]) -> dict[str, Any]:
        import aiohttp

        async def ask() -> tuple[int, bytes]:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
                session.post(self._host + path, data=data, allow_redirects=False) as response,
            ):
                return response.status, await response.content.read(100_000)

        try:
            status, body = asyncio.run(ask())
            found = orjson.loads(body)
        except (aiohttp.ClientError, OSError, orjson.JSONDecodeError) as error:
            raise LineLoginError(f"no answer ({type(error).__name__})") from None
        if status != 200 or not isinstance(found, dict):
            raise LineLoginError(f"refused ({status})")
        return found
