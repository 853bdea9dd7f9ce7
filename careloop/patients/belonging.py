"""Every record belongs to a patient who exists: a foreign key that is checked once a statement instead of once a row.

A foreign key looks up and locks the patient of every single row, which was a quarter of an import's time in the database. The
rule here promises the same and a little more (the patient must be of the same organization, because the triggers see what the
transaction sees), and one look at all rows of a statement costs a fifth:

* after INSERT: all rows of the statement have a patient;
* a row whose patient is changed: so too;
* after DELETE of patients: nothing of this table belongs to them any more.

Where a column is nearly always empty (`PointsTo`), a foreign key still fires for every row, at the end of the transaction, to see that
there is nothing to see. The rule here looks only at rows in which something stands.

Two transactions at once: whoever inserts holds a shared lock on "the organization's patients", whoever deletes patients (only
the undoing of an import does) waits for them and lets the next ones wait. Each then sees what the other committed.
`docs/adr/0010-references-checked-as-a-set.md` has the figures and the alternatives.
"""

from django.db import migrations

LOCK = "hashtextextended('patients ' || coalesce(current_setting('careloop.organization', true), ''), 0)"

# The settings (and `offset 0`) keep the look-up a walk down an index, also in a plan made while the table was still small.
_SETTINGS = "set search_path = public, pg_temp set enable_seqscan = off set enable_bitmapscan = off"

FUNCTIONS = f"""
create or replace function patients_check_inserted() returns trigger language plpgsql {_SETTINGS} as $body$
declare
    missing boolean;
begin
    perform pg_advisory_xact_lock_shared({LOCK});
    -- all at once: the look-up sorts them itself, and the wanted patients are one walk along the index
    select (select count(distinct patient_id) from fresh)
           > (select count(*) from patients_patient p where p.id = any(array(select patient_id from fresh))) into missing;
    if missing then
        raise exception 'a row of % belongs to a patient who is not there', tg_table_name
            using errcode = 'foreign_key_violation', table = tg_table_name, column = 'patient_id';
    end if;
    return null;
end
$body$;

create or replace function patients_check_moved() returns trigger language plpgsql {_SETTINGS} as $body$
begin
    perform pg_advisory_xact_lock_shared({LOCK});
    if new.patient_id is not null and not exists (select 1 from patients_patient p where p.id = new.patient_id) then
        raise exception 'a row of % belongs to a patient who is not there', tg_table_name
            using errcode = 'foreign_key_violation', table = tg_table_name, column = 'patient_id';
    end if;
    return null;
end
$body$;

create or replace function patients_wait_for_writers() returns trigger language plpgsql as $body$
begin
    perform pg_advisory_xact_lock({LOCK});
    return null;
end
$body$;

create or replace function patients_check_deleted() returns trigger language plpgsql {_SETTINGS} as $body$
declare
    left_over boolean;
begin
    execute format('select exists (select 1 from gone where exists (select 1 from %I r where r.%I = gone.id offset 0))',
                   tg_argv[0], coalesce(tg_argv[1], 'patient_id')) into left_over;
    if left_over then
        raise exception 'rows of % belong to a row of % that is to be deleted', tg_argv[0], tg_table_name
            using errcode = 'foreign_key_violation', table = tg_argv[0], column = coalesce(tg_argv[1], 'patient_id');
    end if;
    return null;
end
$body$;

create or replace function patients_check_pointed() returns trigger language plpgsql set search_path = public, pg_temp as $body$
declare
    there boolean;
begin
    execute format('select true from %I where id = ($1 ->> $2)::uuid for key share', tg_argv[1]) into there using to_jsonb(new), tg_argv[0];
    if there is null then
        raise exception 'a row of % points through % at a row of % that is not there', tg_table_name, tg_argv[0], tg_argv[1]
            using errcode = 'foreign_key_violation', table = tg_table_name, column = tg_argv[0];
    end if;
    return null;
end
$body$;

create or replace function patients_id_stays() returns trigger language plpgsql as $body$
begin
    raise exception 'the id of a patient never changes' using errcode = 'foreign_key_violation', table = 'patients_patient';
end
$body$;

create or replace trigger before_patients_go before delete on patients_patient
    for each statement execute function patients_wait_for_writers();
create or replace trigger patients_id_stays before update of id on patients_patient
    for each row when (old.id is distinct from new.id) execute function patients_id_stays();
"""

NO_FUNCTIONS = """
drop trigger before_patients_go on patients_patient;
drop trigger patients_id_stays on patients_patient;
drop function patients_check_inserted, patients_check_moved, patients_wait_for_writers, patients_check_deleted, patients_id_stays,
              patients_check_pointed;
"""


class BelongsToPatient(migrations.RunSQL):
    """A migration step: the rows of `table` belong, through `patient_id`, to patients who exist.

    For a model whose foreign key says `db_constraint=False`. Needs an index on `patient_id`, with the organization before it or
    not; the step before it must have made the functions (patients, 0004).
    """

    def __init__(self, table: str) -> None:
        super().__init__(
            [
                f"create trigger belongs_inserted after insert on {table} referencing new table as fresh "
                "for each statement execute function patients_check_inserted()",
                f"create trigger belongs_moved after update of patient_id on {table} for each row "
                "when (old.patient_id is distinct from new.patient_id) execute function patients_check_moved()",
                f"create trigger none_left_in_{table} after delete on patients_patient referencing old table as gone "
                f"for each statement execute function patients_check_deleted('{table}')",
            ],
            [
                f"drop trigger belongs_inserted on {table}",
                f"drop trigger belongs_moved on {table}",
                f"drop trigger none_left_in_{table} on patients_patient",
            ],
        )


class PointsTo(migrations.RunSQL):
    """A migration step: what stands in a column that is nearly always empty is the id of a row of `target`.

    For a model whose foreign key says `db_constraint=False`; the column needs an index. The row pointed at is locked as a foreign key
    does, so that it cannot go meanwhile.
    """

    def __init__(self, table: str, column: str, target: str) -> None:
        check = f"execute function patients_check_pointed('{column}', '{target}')"
        super().__init__(
            [
                f"create trigger {column}_inserted after insert on {table} for each row when (new.{column} is not null) {check}",
                f"create trigger {column}_changed after update of {column} on {table} for each row "
                f"when (new.{column} is not null and old.{column} is distinct from new.{column}) {check}",
                f"create trigger none_left_in_{table}_{column} after delete on {target} referencing old table as gone "
                f"for each statement execute function patients_check_deleted('{table}', '{column}')",
            ],
            [
                f"drop trigger {column}_inserted on {table}",
                f"drop trigger {column}_changed on {table}",
                f"drop trigger none_left_in_{table}_{column} on {target}",
            ],
        )
