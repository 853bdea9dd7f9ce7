"""LINE: push messages over kept HTTP connections, each with its retry key from the first request on.

Pushes take the short way of `connection.py`; the other calls, and pushes through a clinic's proxy, go by aiohttp.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson
from django.utils.translation import gettext_lazy as _
from yarl import URL

from careloop.messaging.ports import (
    ChannelError,
    Check,
    Outgoing,
    Reason,
    Result,
    Sent,
    refusal,
)

from .connection import Lost, Pool
from .errors import RATE_SECONDS, error_from
from .kind import CAPABILITIES
from .messages import objects

_USER_ID = re.compile(r"U[0-9a-f]{32}\Z")
_TOKEN = re.compile(r"[!-~]+\Z")
_TRIES = 3  # within one send_many, with the same key; later tries are the worker's
_PUSH = "/v2/bot/message/push"


@dataclass(frozen=True, slots=True)
class Profile:
    """What LINE tells about a friend of the account."""

    user_id: str
    display_name: str
    language: str = ""


class LineChannel:
    """Fulfils `Channel`. Belongs to one event loop."""

    kind = "line"
    capabilities = CAPABILITIES

    def __init__(self, *, access_token: str, host: str, connections: int = 16, timeout: float = 10.0) -> None:
        self._host = host.rstrip("/")
        self._push_url = URL(self._host + _PUSH)
        self._proxy = _proxy_for(self._push_url)
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._headers = {"Authorization": f"Bearer {access_token}", "Content-Type": "application/json"}
        self._session: aiohttp.ClientSession | None = None
        # Without a proxy a push takes the short way: its head is bytes already, up to the key.
        self._pool = Pool(self._push_url, timeout=timeout) if self._proxy is None else None
        self._head = _push_head(self._push_url, access_token)
        self._rest_until = 0.0  # loop time before which LINE asked us not to come again

    async def send_many(self, messages: Sequence[Outgoing]) -> list[Result]:
        """Push a batch. After a refusal that concerns all (token, quota) the rest is not even tried."""
        results: list[Result | None] = [None] * len(messages)
        waiting = iter(enumerate(messages))
        stop: list[ChannelError] = []

        async def work() -> None:
            for index, message in waiting:
                if stop:
                    results[index] = stop[0]
                    continue
                result = await self._send(message)
                results[index] = result
                if isinstance(result, ChannelError) and result.reason in (Reason.AUTH, Reason.QUOTA):
                    stop.append(result)

        workers = min(self._connections, max(1, len(messages)))
        watchdog = asyncio.create_task(self._pool.watch()) if self._pool else None
        try:
            await asyncio.gather(*(work() for _ in range(workers)))
        finally:
            if watchdog:
                watchdog.cancel()
        return [result or ChannelError("not tried", retry=True, reason=Reason.UNAVAILABLE) for result in results]

    async def check(self) -> Check:
        """Ask LINE who we are, what is left of the month, and where it sends its webhooks."""
        try:
            bot = await self._get("/v2/bot/info")
            quota = await self._get("/v2/bot/message/quota")
            used = await self._get("/v2/bot/message/quota/consumption")
        except ChannelError as error:
            if error.reason is Reason.AUTH:
                return Check(False, _("LINE refuses the channel access token."))
            return Check(False, _("LINE cannot be reached: %(why)s") % {"why": error.message})
        details: dict[str, Any] = {
            "bot_user_id": bot.get("userId", ""),
            "name": bot.get("displayName", ""),
            "basic_id": bot.get("basicId", ""),
            "quota": quota.get("value"),  # None: no limit
            "used": used.get("totalUsage", 0),
        }
        try:
            hook = await self._get("/v2/bot/channel/webhook/endpoint")
            details |= {"webhook": hook.get("endpoint", ""), "webhook_active": hook.get("active", False)}
        except ChannelError:
            details |= {"webhook": "", "webhook_active": False}
        if not details["webhook_active"]:
            return Check(
                True,
                _("LINE knows us, but its webhook is not switched on: answers will not arrive."),
                details,
            )
        return Check(True, _("LINE knows us."), details)

    async def profile(self, user_id: str) -> Profile | None:
        """Return a friend's profile; None when LINE knows no such friend (never was, or blocked us)."""
        try:
            answer = await self._get(f"/v2/bot/profile/{_checked(user_id)}")
        except ChannelError as error:
            if error.reason is Reason.BAD_ADDRESS:
                return None
            raise
        return Profile(user_id, str(answer.get("displayName", "")), str(answer.get("language", "")))

    async def link_token(self, user_id: str) -> str:
        """Return a one-use token (10 minutes) that starts account linking for this user.

        Raises:
            ChannelError: LINE gave none.
        """
        answer = await self._request("POST", f"/v2/bot/user/{_checked(user_id)}/linkToken", None)
        return str(answer.get("linkToken", ""))

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    # One message

    async def _send(self, message: Outgoing) -> Result:
        if error := refusal(self.capabilities, message):
            return error
        try:
            body = orjson.dumps({"to": _checked(message.to), "messages": objects(message)})
        except ChannelError as error:
            return error
        except orjson.JSONEncodeError:
            return ChannelError("A label is not valid Unicode.", retry=False, reason=Reason.REFUSED)
        # The key makes a repeat harmless: a lost answer is asked for again, and 409 says that it was taken.
        key = str(message.key)
        result: Result | None = None
        for attempt in range(_TRIES):
            await self._rest()
            result = await self._push(body, key)
            if isinstance(result, Sent) or not result.retry:
                return result
            pause = (result.retry_after or RATE_SECONDS) * 2**attempt
            if result.reason is Reason.RATE:
                self._rest_until = asyncio.get_running_loop().time() + pause  # all connections slow down
            elif attempt + 1 < _TRIES:
                await asyncio.sleep(min(pause, 2.0) / 4)
        assert result is not None
        return result

    async def _push(self, body: bytes, key: str) -> Result:
        got: Mapping[str, str]
        try:
            if self._pool is not None:
                request = b"%b%b\r\nContent-Length: %d\r\n\r\n%b" % (self._head, key.encode("ascii"), len(body), body)
                status, answer, got = await self._pool.ask(request)
            else:
                status, answer, got = await self._push_by_proxy(body, key)
        except (aiohttp.ClientError, Lost, OSError) as error:  # TimeoutError is an OSError
            return _unreachable(error)
        if status == 200 or status == 409:
            accepted = got.get("x-line-accepted-request-id", "") or got.get("x-line-request-id", "")
            return Sent(_message_id(answer) or accepted, datetime.now(UTC), accepted, repeated=status == 409)
        return error_from(status, answer, got)

    async def _push_by_proxy(self, body: bytes, key: str) -> tuple[int, bytes, Mapping[str, str]]:
        headers = {"X-Line-Retry-Key": key}
        async with self._open().post(self._push_url, data=body, headers=headers, proxy=self._proxy) as response:
            return response.status, await response.read(), response.headers

    async def _rest(self) -> None:
        wait = self._rest_until - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)

    # The other calls

    async def _get(self, path: str) -> dict[str, Any]:
        return await self._request("GET", path, None)

    async def _request(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        try:
            url = URL(self._host + path)
            async with self._open().request(method, url, data=body, proxy=self._proxy) as response:
                answer = await response.read()
                if response.status != 200:
                    raise error_from(response.status, answer, response.headers)
                found = orjson.loads(answer)
        except (aiohttp.ClientError, OSError, orjson.JSONDecodeError) as error:
            raise _unreachable(error) from None
        return found if isinstance(found, dict) else {}

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ttl_dns_cache=300, keepalive_timeout=60),
                timeout=self._timeout,
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=True,
            )
        return self._session


def _push_head(url: URL, access_token: str) -> bytes:
    """Return the beginning of every push, up to its retry key.

    Raises:
        ValueError: the token would break out of its header. It is not in the text.
    """
    if not _TOKEN.match(access_token):
        raise ValueError("The channel access token holds characters that no token has.")
    host = url.raw_authority.rpartition("@")[2]
    return (
        f"POST {url.raw_path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {access_token}\r\n"
        "Content-Type: application/json\r\nAccept: application/json\r\nX-Line-Retry-Key: "
    ).encode("ascii")


def _checked(user_id: str) -> str:
    if not _USER_ID.match(user_id):
        raise ChannelError("This is not a LINE user id.", retry=False, reason=Reason.BAD_ADDRESS)
    return user_id


def _message_id(answer: bytes) -> str:
    """The id of the first message object; LINE repeats it in the 409 answer."""
    try:
        return str(orjson.loads(answer)["sentMessages"][0]["id"])
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        return ""


def _unreachable(error: BaseException) -> ChannelError:
    return ChannelError(
        f"LINE gave no answer ({type(error).__name__}).",
        retry=True,
        reason=Reason.UNAVAILABLE,
        retry_after=RATE_SECONDS,
    )


def _proxy_for(url: URL) -> str | None:
    """The clinic's proxy, asked for once: `trust_env` asks for every request, and is four times slower."""
    return None if proxy_bypass(url.host or "") else getproxies().get(url.scheme)
