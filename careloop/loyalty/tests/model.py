"""The ledger once more, as plainly as it can be written: what the database does is compared with this."""

from dataclasses import dataclass, field
from datetime import date

FOREVER = date.max


@dataclass(eq=False)
class Lot:
    number: int
    holder: str
    brought_by: str
    earning: str
    earned: int
    expires: date | None
    left: int

    @property
    def order(self):
        return (self.expires or FOREVER, self.earned, self.number)


@dataclass
class Entry:
    kind: str
    member: str
    holder: str
    points: int
    undone: int = 0
    taken_back: int = 0
    uses: list = field(default_factory=list)  # [lot, points that can still go back to it]


class Refused(Exception):
    pass


class Model:
    """Members who share one pool or do not; `rule` is the last day the programme gives."""

    def __init__(self, members, *, negative: bool):
        self.negative, self.members = negative, list(members)
        self.balance = dict.fromkeys([*members, "pool"], 0)
        self.shares: set[str] = set()
        self.pool_is_open = True
        self.lots: list[Lot] = []
        self.entries: dict[str, Entry] = {}
        self.expired: dict[str, int] = {}

    def holder(self, member):
        return "pool" if member in self.shares else member

    def open_lots(self, holder):
        return sorted((lot for lot in self.lots if lot.holder == holder and lot.left), key=lambda lot: lot.order)

    def _put(self, holder, member, points, earning, earned, expires, pays=None):
        owed = max(0, -self.balance[holder]) if pays is None else pays
        self.lots.append(Lot(len(self.lots), holder, member, earning, earned, expires, points - min(owed, points)))

    def _take(self, holder, points, first_of=None):
        uses = []
        own = [lot for lot in self.open_lots(holder) if lot.earning == first_of]
        for lot in own + [lot for lot in self.open_lots(holder) if lot not in own]:
            part = min(lot.left, points)
            if part:
                lot.left -= part
                points -= part
                uses.append([lot, part])
        assert points == 0
        return uses

    def expire(self, today, holders=None):
        for lot in self.lots:
            if lot.left and lot.expires and lot.expires < today and (holders is None or lot.holder in holders):
                self.balance[lot.holder] -= lot.left
                self.expired[lot.earning] = self.expired.get(lot.earning, 0) + lot.left
                lot.left = 0

    def earn(self, key, kind, member, points, at, expires):
        holder = self.holder(member)
        self._put(holder, member, points, key, at, expires)
        self.balance[holder] += points
        self.entries[key] = Entry(kind, member, holder, points)

    def spend(self, key, kind, member, points, today):
        holder = self.holder(member)
        self.expire(today, [holder])
        if self.balance[holder] < points and not (kind == "ADJUST" and self.negative):
            raise Refused
        uses = self._take(holder, min(max(self.balance[holder], 0), points))
        self.balance[holder] -= points
        self.entries[key] = Entry(kind, member, holder, -points, uses=uses)

    def reverse(self, key, of, points, at, today, rule):
        entry = self.entries[of]
        size = abs(entry.points)
        wanted = size - entry.undone if points is None else points
        if wanted <= 0 or wanted > size - entry.undone:
            raise Refused
        holder = self.holder(entry.member)
        if entry.points < 0 and entry.holder == "pool" and self.pool_is_open:
            holder = "pool"
        self.expire(today, [holder])
        entry.undone += wanted
        if entry.points > 0:
            moved = max(0, min(wanted, size - self.expired.get(of, 0) - entry.taken_back))
            if not self.negative:
                moved = min(moved, max(0, self.balance[holder]))
            self._take(holder, min(max(self.balance[holder], 0), moved), first_of=of)
            self.balance[holder] -= moved
            entry.taken_back += moved
            return
        back = wanted - min(max(0, -self.balance[holder]), wanted)
        self.balance[holder] += wanted
        for use in sorted(entry.uses, key=lambda use: use[0].order, reverse=True):
            lot, part = use[0], min(use[1], back)
            if part:
                use[1] -= part
                back -= part
                if lot.holder == holder:
                    lot.left += part
                else:
                    self._put(holder, entry.member, part, lot.earning, lot.earned, lot.expires, pays=0)
        if back:
            self._put(holder, entry.member, back, key, at, rule, pays=0)
        self.expire(today, [holder])

    def move(self, giver, taker, member, points, only_of=None):
        owed = max(0, -self.balance[taker])
        for lot in self.open_lots(giver):
            part = min(lot.left, points) if only_of in (None, lot.brought_by) else 0
            if part:
                lot.left -= part
                points -= part
                self._put(taker, member, part, lot.earning, lot.earned, lot.expires, pays=min(owed, part))
                owed -= min(owed, part)
                self.balance[giver] -= part
                self.balance[taker] += part

    def transfer(self, giver, taker, points, today):
        giver_holds, taker_holds = self.holder(giver), self.holder(taker)
        if giver_holds == taker_holds:
            raise Refused
        self.expire(today, [giver_holds, taker_holds])
        if self.balance[giver_holds] < points:
            raise Refused
        self.move(giver_holds, taker_holds, taker, points)

    def join(self, member, today):
        if member in self.shares or not self.pool_is_open:
            raise Refused
        self.expire(today, [member])
        if self.balance[member] < 0:
            raise Refused
        self.move(member, "pool", member, self.balance[member])
        self.shares.add(member)

    def leave(self, member, today):
        if member not in self.shares:
            raise Refused
        self.expire(today, ["pool"])
        if self.balance["pool"] < 0:
            raise Refused
        only_of = member if len(self.shares) > 1 else None
        points = sum(lot.left for lot in self.open_lots("pool") if only_of in (None, lot.brought_by))
        self.move("pool", member, member, points, only_of)
        self.shares.discard(member)
        self.pool_is_open = bool(self.shares)
