"""Finding patients by a part of their name."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction

# `@>` is not leakproof, so under row-level security it could use no index and would read every patient. Dynamic SQL, because
# the best plan depends on the name: a rare piece goes through the GIN index, a common one stops early in order of change.
SEARCH = """
begin
    return query execute
        'select p.id from patients_patient p
          where p.organization_id = nullif(current_setting(''careloop.organization'', true), '''')::uuid
            and p.name_grams @> $1 and p.merged_into_id is null
          order by p.updated_at desc, p.id desc limit $2'
        using wanted, few;
end
"""


class Migration(migrations.Migration):
    dependencies = [("patients", "0001_initial")]

    operations = [
        DefinerFunction(
            "patients_search_names",
            arguments="wanted text[], few int", returns="table (id uuid)", body=SEARCH, language="plpgsql",
            why="finds names by their pieces with an index; answers with ids of the caller's organization only",
        ),
    ]  # fmt: skip
