"""Packed and unpacked streams: how far one has been read, when to stop a bomb, and a look ahead."""

import bz2
import gzip
import io
import lzma
import mmap
import tempfile
from dataclasses import dataclass
from typing import IO, Any, cast

from careloop.integrations.fhir.errors import FhirRefusal
from careloop.integrations.fhir.limits import MIB, Limits
from careloop.integrations.fhir.scanning import Content


@dataclass(slots=True)
class Meter:
    """What has been read: for the guards, and for a progress bar (`position` of `size` bytes as packed)."""

    size: int = 0
    position: int = 0
    unpacked: int = 0
    members: int = 0


class Counted(io.RawIOBase):
    """The packed file; tells the meter how far it has been read."""

    def __init__(self, packed: IO[bytes], meter: Meter, before: int) -> None:
        self.packed = packed
        self.meter = meter
        self.before = before

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.packed.seek(offset, whence)

    def tell(self) -> int:
        return self.packed.tell()

    def readinto(self, buffer: Any) -> int:
        data = self.packed.read(len(buffer))
        buffer[: len(data)] = data
        self.meter.position = max(self.meter.position, self.before + self.packed.tell())
        return len(data)


class Guarded:
    """An unpacked stream that stops a bomb and can look ahead."""

    def __init__(
        self, stream: IO[bytes], meter: Meter, limits: Limits, *, packed: int | None, rewindable: bool = False
    ) -> None:
        self.stream = stream
        self.rewindable = rewindable
        self.counted = 0
        self.meter = meter
        self.limits = limits
        self.packed = packed
        self.ahead = b""

    def _count(self, data: bytes) -> bytes:
        meter, limits = self.meter, self.limits
        meter.unpacked += len(data)
        self.counted += len(data)
        if meter.unpacked > limits.total_bytes:
            raise FhirRefusal("fhir.total_too_large", limit=limits.total_bytes // MIB)
        if self.packed is not None and meter.unpacked > max(limits.ratio_from_bytes, self.packed * limits.ratio):
            raise FhirRefusal("fhir.suspicious_ratio", limit=limits.ratio)
        return data

    def peek(self, size: int) -> bytes:
        while len(self.ahead) < size and (data := self._count(self.stream.read(size - len(self.ahead)))):
            self.ahead += data
        return self.ahead[:size]

    def read(self, size: int = -1) -> bytes:
        if self.ahead:
            data, self.ahead = (self.ahead, b"") if size < 0 else (self.ahead[:size], self.ahead[size:])
            return data
        return self._count(self.stream.read(size))

    def read_all(self) -> Content:
        """Return all that is left; a large document comes as a mapped nameless file, so that it takes no memory."""
        large = min(self.limits.split_bytes, self.limits.document_bytes)
        content = bytearray()
        while block := self.read(MIB):
            content += block
            if len(content) >= large:
                return self._mapped(content)
        return content

    def _mapped(self, begun: bytearray) -> mmap.mmap:
        limit = self.limits.document_bytes
        size = len(begun)
        with tempfile.TemporaryFile() as file:
            file.write(begun)
            while block := self.read(MIB):
                size += len(block)
                if size > limit:
                    break
                file.write(block)
            file.flush()
            if size > limit:
                raise FhirRefusal("fhir.document_too_large", limit=limit // MIB)
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def readline(self, size: int) -> bytes:
        if not self.ahead:
            return self._count(self.stream.readline(size))
        cut = self.ahead.find(b"\n", 0, size)
        if cut >= 0 or len(self.ahead) >= size:
            return self.read(cut + 1 if cut >= 0 else size)
        start, self.ahead = self.ahead, b""
        return start + self._count(self.stream.readline(size - len(start)))

    def rewind(self) -> None:
        self.stream.seek(0)
        self.ahead = b""
        # A second pass over the same bytes is no second helping of them.
        self.meter.unpacked -= self.counted
        self.counted = 0

    def __enter__(self) -> "Guarded":
        return self

    def __exit__(self, *_error: object) -> None:
        self.stream.close()


def spooled(stream: "Guarded") -> "Guarded":
    """Copy a stream that cannot be rewound into a nameless temporary file."""
    spare = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the stream that is made of it)
    while block := stream.read(MIB):
        spare.write(block)
    spare.seek(0)
    return Guarded(cast(IO[bytes], spare), Meter(), stream.limits, packed=None, rewindable=True)


def unpacked(packed: io.RawIOBase, head: bytes) -> IO[bytes]:
    buffered = cast(IO[bytes], io.BufferedReader(packed, MIB))
    if head.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=buffered))
    if head.startswith(b"\xfd7zXZ\x00"):
        return cast(IO[bytes], lzma.LZMAFile(buffered))
    if head.startswith(b"BZh"):
        return cast(IO[bytes], bz2.BZ2File(buffered))
    return buffered


def is_tar(start: bytes) -> bool:
    return start[257:262] == b"ustar"
