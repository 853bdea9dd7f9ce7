"""No table with a patient is forgotten when somebody asks for their data, or that they be erased."""

from importlib import import_module
from importlib.util import find_spec
from inspect import getsource

import pytest
from django.apps import apps
from django.db import models

# Tables that speak of a patient and are neither given out nor emptied, and why.
NEITHER = {
    "audit_patient": "who looked at whose data must stay provable for as long as the records themselves",
    "facts_patient": "worked out from the rest; the reader of the log does so again when the record is closed",
    "loyalty_pool_member": "the account in it is given out and left; the consent is a link between two accounts",
    "channels_sandbox_delivery": "the sandbox's own services give out and empty one phone; see channels/privacy.py and its test",
}


def tables_with_patients() -> list[type[models.Model]]:
    return [
        model for model in apps.get_models()
        if any(field.column.endswith("patient_id") or field.column in ("referrer_id", "friend_id", "acting_for_id", "relative_id")
               for field in model._meta.concrete_fields)
    ]  # fmt: skip


def test_there_are_tables_to_look_at():
    assert len(tables_with_patients()) > 35


@pytest.mark.parametrize("model", tables_with_patients(), ids=lambda model: model._meta.db_table)
def test_every_table_with_a_patient_is_given_out_and_erased_by_its_slice(model):
    table = model._meta.db_table
    if table in NEITHER:
        return
    config = apps.get_app_config(model._meta.app_label)
    sources = [
        getsource(import_module(name)) for name in (f"{config.name}.privacy", f"{config.name}.reward.privacy", f"{config.name}.thanks.privacy")
        if _exists(name)
    ]  # fmt: skip
    text = "\n".join(sources)
    named = table in text or model.__name__ in text
    if config.name == "careloop.records":  # all kinds of records, by the slice's own list of them
        from careloop.records.services import KINDS

        named = named or model in KINDS.values()
    assert named, f"{config.name}/privacy.py says nothing of {table}: give it out and erase it, or say here why not"


def _exists(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def test_the_exceptions_are_still_there():
    tables = {model._meta.db_table for model in apps.get_models()}

    assert [name for name in NEITHER if name not in tables] == []
