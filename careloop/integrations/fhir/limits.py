"""How much an import may cost before it is stopped: guards against bombs, and for our own memory."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """All sizes are bytes after unpacking.

    `document_bytes`: one JSON document (a file or archive member that is not NDJSON). It is held in memory
    as bytes, its
    entries are parsed one by one, so the whole import stays under 500 MB.
    `resource_bytes`: one resource (a line of NDJSON, an entry of a large Bundle, a document that is no
    Bundle).
    `split_bytes`: a Bundle from this size on is parsed entry by entry instead of whole.
    `ratio`: unpacked to packed, checked only above `ratio_from_bytes`. Synthetic patients
    pack 60 : 1; a bomb packs 1,000 : 1 and more.
    """

    document_bytes: int = 200 * MIB
    resource_bytes: int = 16 * MIB
    split_bytes: int = 8 * MIB
    total_bytes: int = 64 * 1024 * MIB
    members: int = 1_000_000
    ratio: int = 500
    ratio_from_bytes: int = 256 * MIB
