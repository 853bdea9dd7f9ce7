"""What every bench does with the organization it measures in: let the planner see it, and take it away again."""

from uuid import UUID

from django.db import Error, connections, transaction


def analyze(*tables: str) -> None:
    """Let the planner see what was just loaded, as an import does and autovacuum would soon."""
    with connections["owner"].cursor() as cursor:
        for table in tables:
            cursor.execute(f'analyze "{table}"')
    connections["owner"].close()


def remove(organization: UUID) -> None:
    """Take an organization away, as the owner of the tables: some of them the program may only add to."""
    connection = connections["owner"]
    with transaction.atomic(using="owner"), connection.cursor() as cursor:
        cursor.execute("select set_config('careloop.organization', %s, true)", [str(organization)])
        cursor.execute(
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id' "
            "where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace"
        )
        left = [name for (name,) in cursor.fetchall()]
        while left:
            remaining = []
            for table in left:
                try:
                    with transaction.atomic(using="owner"):
                        cursor.execute(f'delete from "{table}" where organization_id = %s', [organization])
                except Error:  # another table refers to it: once more after that one
                    remaining.append(table)
            if len(remaining) == len(left):
                raise RuntimeError(f"rows remain in {remaining}")
            left = remaining
        cursor.execute("delete from tenancy_organization where id = %s", [organization])
    connection.close()
