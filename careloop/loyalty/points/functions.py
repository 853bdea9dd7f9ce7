"""How the database functions that post points are made: they belong to the owner of the tables, and look into one organization only."""

from careloop.tenancy.security import DefinerFunction

WHY = "given_key text, why text, why_ref text, words text"
WHO = "right_now timestamptz, by_user uuid, by_kind text, by_id uuid"
_ALONE = "writes the running organization's books of points, which the application may not write itself; row-level security binds it too"


def posting(name: str, arguments: str, body: str, returns: str = "loyalty_posted") -> DefinerFunction:
    """Return the step of a migration that makes one of them."""
    return DefinerFunction(
        name,
        arguments=arguments,
        returns=returns,
        body=body,
        language="plpgsql",
        volatility="volatile",
        owner="",
        why=_ALONE,
    )
