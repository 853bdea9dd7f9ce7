"""Reads: what the directory of imported organizations, places and devices holds."""

from careloop.kernel import sql


def count_directory() -> dict[str, int]:
    """Return how many resources about no patient there are, by FHIR type."""
    found = sql.rows("select resource_type, count(*) as count from imports_directory group by resource_type")
    return {row["resource_type"]: row["count"] for row in found}
