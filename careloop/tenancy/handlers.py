"""Daily work: what the job queue has done does not pile up."""

from datetime import datetime, timedelta

from careloop.kernel import sql
from careloop.tenancy.loops import daily

KEPT = timedelta(days=30)


@daily("jobs.clean", hour=3)
def clean(*, now: datetime) -> None:
    """Forget jobs that ended well long ago; those that failed stay for whoever looks into them."""
    sql.execute(
        """delete from procrastinate_jobs j
            where j.status in ('succeeded', 'cancelled', 'aborted')
              and not exists (select 1 from procrastinate_events e where e.job_id = j.id and e.at >= %s)""",
        [now - KEPT],
    )
    # the note that a job was done is needed as long as the job may be run again
    sql.execute(
        """delete from tenancy_job_done d
            where d.done_at < %s and not exists (select 1 from procrastinate_jobs j where j.id = d.job_id)""",
        [now - KEPT],
    )
