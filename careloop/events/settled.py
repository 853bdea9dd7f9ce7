"""Which events are settled: no transaction that is still open can put one before them any more.

Every transaction has a number, an event carries that of its own, and numbers are given out before commits. So what is below the
oldest running number is settled. That number is the whole server's, though: a transaction of another database, or one that is
certain to be rolled back, would hold up every reader while it lasts, although nothing can come of it. They are left out when they
are in the way; looking for them is dearer than the number alone.
"""

from careloop.kernel import sql

# any two numbers that nobody else uses as an advisory lock
_MARK, _NEVER = 0x5E771ED, 1

#: what an event's `xid` is below when it is settled. Both belong into the statement that reads the events: one snapshot for both.
SETTLED = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
#: the same, past transactions that publish nothing here. Who ended between the snapshot and the look at the locks is waited for; so is
#: the running transaction, which may publish behind what it reads.
SETTLED_HERE = f"""(
    with held as materialized (
        select pid, locktype, transactionid, classid::bigint as mark, objid::bigint as what from pg_locks
         where granted and (locktype = 'transactionid' and mode = 'ExclusiveLock' or locktype = 'advisory' and objsubid = 2)
    ), harmless as (
        select h.transactionid::text::bigint as short from held h join pg_stat_activity a on a.pid = h.pid
         where h.locktype = 'transactionid'
           and (a.datid <> (select oid from pg_database where datname = current_database())
                or h.pid in (select pid from held where locktype = 'advisory' and mark = {_MARK} and what = {_NEVER}))
    )
    select coalesce(least(min(running::text::bigint), pg_current_xact_id_if_assigned()::text::bigint),
                    pg_snapshot_xmax(pg_current_snapshot())::text::bigint)
      from pg_snapshot_xip(pg_current_snapshot()) as running
     where running::text::bigint & 4294967295 not in (select short from harmless))"""


def nothing_comes_of_this() -> None:
    """Let readers pass the running transaction: it is certain to be rolled back, whatever it publishes on the way."""
    sql.execute("select pg_advisory_xact_lock_shared(%s, %s)", [_MARK, _NEVER])
