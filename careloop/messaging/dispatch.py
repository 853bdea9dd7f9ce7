"""The dispatcher: takes what is due, sends it, writes down how it went. Any number of them may run at once.

Sending happens on an event loop in a thread of its own, so that the next batch is claimed and rendered while this one leaves.
"""

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.utils import timezone

from careloop.audit.services import Actor, acting_as
from careloop.messaging import channels, outgoing, recording
from careloop.messaging.models import ChannelAccount
from careloop.messaging.ports import Channel, ChannelError, Reason, Result
from careloop.messaging.ready import Account, Ready, ids_of
from careloop.tenancy.context import in_organization

log = structlog.get_logger(__name__)
T = TypeVar("T")
Leaving = tuple[list[Ready], "Future[list[Result]]"]

HAND_OVER = 100
"""How many messages leave between two commits on a channel that cannot tell copies apart: what a crash leaves unknown."""

TURN = 0.0005
"""Seconds a thread computes while another waits (Python's own: 0.005). Answers wait for the loop's turn: at five
milliseconds, sixteen connections get no more than 3,200 answers a second while the next batch is rendered."""

PAUSES: dict[Reason, timedelta] = {
    Reason.RATE: timedelta(seconds=2), Reason.QUOTA: timedelta(hours=6), Reason.AUTH: timedelta(minutes=15),
    Reason.UNAVAILABLE: timedelta(minutes=1),
}  # fmt: skip
"""How long an account rests when most of a batch got this answer."""


@dataclass
class Tally:
    """What one pass did."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, counts: dict[str, int]) -> None:
        for name, n in counts.items():
            self.counts[name] = self.counts.get(name, 0) + n

    @property
    def sent(self) -> int:
        return self.counts.get("accepted", 0)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


class Dispatcher:
    """Sends for any organization, keeping channels open between passes. `close()` ends it.

    Args:
        clock: returns the current time.
        batch: how many messages are claimed at once.
        hand_over: see `HAND_OVER`.
    """

    def __init__(
        self, *, clock: Callable[[], datetime] = timezone.now, batch: int = outgoing.BATCH, hand_over: int = HAND_OVER
    ) -> None:
        self.clock = clock
        self.batch = batch
        self.hand_over = hand_over
        self.lease = outgoing.new_lease()
        self.stopping = threading.Event()
        sys.setswitchinterval(min(TURN, sys.getswitchinterval()))
        self._loop = _new_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="channels", daemon=True)
        self._thread.start()
        self._open: dict[UUID, tuple[datetime, Channel]] = {}

    def pass_over(self, organization_id: UUID, *, limit: int | None = None) -> Tally:
        """Send everything that is due in one organization; return what happened to how many."""
        tally = Tally()
        with acting_as(Actor("system", name="dispatcher", via="worker")):
            for account in self._accounts(organization_id):
                if self.stopping.is_set():
                    break
                try:
                    self._drain(organization_id, account, tally, limit)
                except Exception:
                    # one account's trouble (a key that is missing, an adapter that cannot open) stops no other
                    log.exception("dispatch.failed", organization=str(organization_id), account=str(account.pk))
                    self._forget(account.pk)
        return tally

    def stop(self) -> None:
        """Finish what is leaving, give the rest back, and take nothing new. Safe to call from a signal handler."""
        self.stopping.set()

    def close(self) -> None:
        """Close channels and the loop."""
        for _at, channel in self._open.values():
            self._call(channel.close())
        self._open.clear()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    # -- one account -------------------------------------------------------------------------------------------

    def _accounts(self, organization_id: UUID) -> list[ChannelAccount]:
        now = self.clock()
        with in_organization(organization_id):
            recording.settle_unknown(now=now)
            accounts = list(ChannelAccount.objects.filter(enabled=True).order_by("channel", "id"))
            for account in accounts:
                recovered = recording.recover(_for_sending(account), now=now)
                if recovered:
                    log.warning("dispatch.recovered", organization=str(organization_id), **recovered)
        return [one for one in accounts if one.paused_until is None or one.paused_until <= now]

    def _drain(self, organization_id: UUID, account: ChannelAccount, tally: Tally, limit: int | None) -> None:
        sending = _for_sending(account)
        marks = not sending.capabilities.deduplicates
        waiting: list[Ready] = []
        leaving: Leaving | None = None
        taken, finished = 0, False
        while True:
            if not waiting and not finished and not self.stopping.is_set():
                room = self.batch if limit is None else min(self.batch, limit - taken)
                if room > 0:
                    with in_organization(organization_id):
                        waiting = outgoing.claim(sending, lease=self.lease, now=self.clock(), limit=room)
                taken += len(waiting)
                finished = not waiting
            if leaving is not None:
                ready, future = leaving
                results = future.result()
                leaving = None
            else:
                ready, results = [], []
            if self.stopping.is_set() and waiting:
                with in_organization(organization_id):
                    outgoing.release(ids_of(waiting), lease=self.lease)
                waiting = []
            chunk = waiting[: self.hand_over] if marks else waiting
            rest = bool(ready) and self._rests(organization_id, account, results, give_back=waiting)
            if rest:
                chunk, waiting, finished = [], [], True
            waiting = waiting[len(chunk) :]
            if any(one.is_bound for one in chunk):
                # it waited since it was claimed; the visit may have been moved, the number called meanwhile
                with in_organization(organization_id):
                    chunk = outgoing.without_changed(chunk, lease=self.lease, now=self.clock())
            if chunk and not marks:
                # a repeat would be harmless, so nothing has to be noted first: it leaves while the last batch is recorded
                leaving = self._leave(organization_id, account, chunk)
            if ready or (chunk and marks):
                with in_organization(organization_id):
                    if ready:
                        tally.add(recording.record(ready, results, lease=self.lease, now=self.clock()))
                    if chunk and marks:
                        outgoing.hand_over(ids_of(chunk), lease=self.lease, now=self.clock())
            if chunk and marks:
                leaving = self._leave(organization_id, account, chunk)
            if not chunk and (finished or self.stopping.is_set()):
                return

    def _leave(self, organization_id: UUID, account: ChannelAccount, chunk: list[Ready]) -> Leaving:
        channel = self._channel(organization_id, account)
        return chunk, self._start(channel.send_many([one.outgoing for one in chunk]))

    def _rests(
        self, organization_id: UUID, account: ChannelAccount, results: Sequence[Result], *, give_back: Sequence[Ready]
    ) -> bool:
        """Pause the account when most of a batch was refused for a reason that concerns all; return whether it rests."""
        for reason, pause in PAUSES.items():
            hit = [one for one in results if isinstance(one, ChannelError) and one.reason is reason]
            if len(hit) * 2 < len(results) or not hit:
                continue
            if reason is Reason.RATE and hit[0].retry_after:
                pause = timedelta(seconds=min(hit[0].retry_after, 900))
            with in_organization(organization_id):
                now = self.clock()
                shown = str(reason) if reason is not Reason.UNAVAILABLE else ""
                ChannelAccount.objects.filter(pk=account.pk).exclude(pause_reason="staff").update(
                    paused_until=now + pause, pause_reason=shown
                )
                outgoing.release(ids_of(give_back), lease=self.lease)
            log.warning(
                "dispatch.paused", organization=str(organization_id), account=str(account.pk), reason=str(reason)
            )
            return True
        return False

    # -- channels ----------------------------------------------------------------------------------------------

    def _channel(self, organization_id: UUID, account: ChannelAccount) -> Channel:
        kept = self._open.get(account.pk)
        if kept is not None and kept[0] == account.changed_at:
            return kept[1]
        self._forget(account.pk)
        with in_organization(organization_id):
            settings = channels.opened_settings(account)

        async def open_it() -> Channel:
            return channels.open_channel_with(account, settings)

        channel = self._call(open_it())
        self._open[account.pk] = (account.changed_at, channel)
        return channel

    def _forget(self, account_id: UUID) -> None:
        if kept := self._open.pop(account_id, None):
            self._call(kept[1].close())

    def _start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return self._start(work).result(60)


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return a loop on libuv where there is one: a third less time for small packets."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


def _for_sending(account: ChannelAccount) -> Account:
    return Account(account.pk, account.channel, channels.capabilities(account), account.monthly_budget)


def send_due(organization_id: UUID, *, now: datetime | None = None) -> Tally:
    """Send what is due in one organization once, with a dispatcher of its own (commands and tests)."""
    dispatcher = Dispatcher(clock=(lambda: now) if now else lambda: datetime.now(UTC))
    try:
        return dispatcher.pass_over(organization_id)
    finally:
        dispatcher.close()
