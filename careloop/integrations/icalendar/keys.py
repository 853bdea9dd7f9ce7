"""The keys of uploads that wait, wrapped anew by `careloop keys rotate` like patients' keys."""

from careloop.integrations.icalendar.models import LeaveUpload
from careloop.kernel import vault


def rewrap(ring: vault.Keyring) -> int:
    """Wrap the current organization's upload keys with the master key in use; return how many were under an older one."""
    current, changed = ring.current.to_bytes(4, "big"), []
    for upload in LeaveUpload.objects.select_for_update().filter(key_wrapped__isnull=False).only("id", "key_wrapped"):
        wrapped = bytes(upload.key_wrapped or b"")
        if wrapped[:4] != current:
            upload.key_wrapped = ring.wrap(ring.unwrap(wrapped, owner=upload.id.bytes), owner=upload.id.bytes)
            changed.append(upload)
    LeaveUpload.objects.bulk_update(changed, ["key_wrapped"])
    return len(changed)
