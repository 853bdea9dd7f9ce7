"""Contact points are read and hashed a column at once as they are one by one, and a phone is found by its end."""

from uuid import UUID

import pytest

from careloop.kernel import vault
from careloop.patients import sealing
from careloop.patients.contacts import ReadContact, plain_contacts, read_contact

ORGANIZATION = UUID(int=7)
TYPED = {
    "phone": [
        "0912345678", "0912-345-678", "0912 345 678", "0912-345678", "0912345678 ", "０９１２３４５６７８", "+886912345678", "0900000000",
        "02-2345-6789", "02-2345-6789#12", "0912345678 / 0922333444", "09123", "12", "", "沒有", "+", "+886 912 345 678", "٠٩١٢٣٤٥٦٧٨",
    ],
    "email": ["amy@example.com", "Amy.CHEN+tw@Example.COM", "amy@example", "amy @example.com", "é@example.com", "", "@"],
    "line": ["U" + "0" * 32, "amy"],
    "wechat": ["oAbc", ""],
}  # fmt: skip


@pytest.mark.parametrize("system", sorted(TYPED))
def test_a_column_read_at_once_says_what_each_says_alone(system: str) -> None:
    plain = plain_contacts(system, TYPED[system])

    assert bool(plain) == (system in ("phone", "email"))
    for text, value in plain.items():
        alone = read_contact(system, text)
        assert alone == ReadContact(value, alone.indexed, system == "phone", "")
        assert sealing.contact_index(ORGANIZATION, system, value) == sealing.contact_index(
            ORGANIZATION, system, alone.indexed
        )


@pytest.mark.parametrize("system", sorted(TYPED))
def test_a_column_hashed_at_once_has_the_hash_of_each_alone(system: str) -> None:
    indexed = [read_contact(system, text).indexed for text in TYPED[system]]

    assert sealing.contact_indexer(ORGANIZATION, system)(indexed) == [
        sealing.contact_index(ORGANIZATION, system, value) for value in indexed
    ]


def test_the_hash_of_a_phone_lies_in_the_range_of_its_last_three_digits() -> None:
    first, last = sealing.last3_range(ORGANIZATION, "678")
    ends = [sealing.contact_index(ORGANIZATION, "phone", one) for one in ("+886912345678", "+886287654678", "678")]
    others = [
        sealing.contact_index(ORGANIZATION, system, one)
        for system, one in (("phone", "+886912345679"), ("phone", "67"), ("phone", "x678"), ("line", "678"))
    ]

    assert len(set(ends)) == 3
    assert all(first <= one <= last and len(one) == vault.INDEX_BYTES for one in ends)
    assert not any(first <= one <= last for one in others)


def test_it_is_what_the_migration_makes_of_the_two_hashes_there_were() -> None:
    """`0008_endings_in_the_hash` cannot make them anew: it has no keys."""
    ring = vault.keyring()
    whole = vault.blind_index(ring.index_key(ORGANIZATION, "contact_point.phone"), "+886912345678")
    last3 = vault.blind_index(ring.index_key(ORGANIZATION, "contact_point.last3"), "678")

    assert sealing.contact_index(ORGANIZATION, "phone", "+886912345678") == last3[:6] + whole[:10]
