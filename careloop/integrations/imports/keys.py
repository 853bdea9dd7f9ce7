"""The keys of batches: refused rows are sealed under them, and `careloop keys rotate` wraps them anew like patients' keys."""

from careloop.integrations.imports.models import ImportBatch
from careloop.kernel import vault


def rewrap(ring: vault.Keyring) -> int:
    """Wrap the current organization's batch keys with the master key in use; return how many were under an older one."""
    current, changed = ring.current.to_bytes(4, "big"), []
    for batch in ImportBatch.objects.select_for_update().filter(key_wrapped__isnull=False).only("id", "key_wrapped"):
        wrapped = bytes(batch.key_wrapped or b"")
        if wrapped[:4] != current:
            batch.key_wrapped = ring.wrap(ring.unwrap(wrapped, owner=batch.id.bytes), owner=batch.id.bytes)
            changed.append(batch)
    ImportBatch.objects.bulk_update(changed, ["key_wrapped"], batch_size=500)
    return len(changed)
