"""What patients add to the slices below them: whether there is anything that a new key file could not open."""

from careloop.kernel import sql, vault


def anything_sealed() -> bool:
    """Whether some patient's data key is kept, in whatever organization."""
    return bool(sql.value("select patients_any_key()"))


vault.WITNESSES.append(anything_sealed)
