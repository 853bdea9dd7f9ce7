"""What the queue keeps of jobs that are over."""

from datetime import timedelta

from django.utils import timezone

from careloop.kernel import sql
from careloop.tenancy import handlers
from careloop.tenancy.loops import DAILIES


def job(status, *, days_ago, done=False):
    """A job of the queue, as the queue leaves it behind."""
    at = timezone.now() - timedelta(days=days_ago)
    number = sql.value(
        "insert into procrastinate_jobs (queue_name, task_name, status) values (%s, 'example', 'todo') returning id",
        ["nobody"],
    )
    sql.execute("update procrastinate_jobs set status = %s::procrastinate_job_status where id = %s", [status, number])
    sql.execute("update procrastinate_events set at = %s where job_id = %s", [at, number])
    if done:
        sql.execute("insert into tenancy_job_done (job_id, done_at) values (%s, %s)", [number, at])
    return number


def kept(table, column):
    return {row[column] for row in sql.rows(f"select {column} from {table}")}


def test_jobs_that_ended_well_are_forgotten_after_a_month_and_failed_ones_are_not(organization):
    old, young = job("succeeded", days_ago=31), job("succeeded", days_ago=29)
    failed, waiting = job("failed", days_ago=400), job("todo", days_ago=400)

    handlers.clean(now=timezone.now())

    assert kept("procrastinate_jobs", "id") & {old, young, failed, waiting} == {young, failed, waiting}
    assert old not in kept("procrastinate_events", "job_id")


def test_a_job_that_may_run_again_is_still_known_to_be_done(organization):
    gone, again = job("succeeded", days_ago=31, done=True), job("todo", days_ago=31, done=True)

    handlers.clean(now=timezone.now())

    assert kept("tenancy_job_done", "job_id") & {gone, again} == {again}


def test_the_queue_is_cleaned_every_day():
    assert "jobs.clean" in DAILIES
