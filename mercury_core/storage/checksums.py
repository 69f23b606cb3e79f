"""Checksums: computed as bytes go by, and joined from those of parts.

CRC-32C is Mercury's own: object stores know it, processors compute it at the speed of memory, and that of a whole
follows from those of its parts, in whatever order these come.
"""

from __future__ import annotations

from functools import cache, lru_cache

from mercury_core.contracts.stores import Crc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

DIGESTS = ("md5", "sha1", "sha256")
"""What can be computed in order only: the digests of parts cannot be joined."""

_BLOCKS = (256 << 10, 16 << 10)


def _crc32c(value: int, data: Any) -> int:
    extend, arrays = _package()
    if isinstance(data, bytes):
        return extend(value, data)
    view = memoryview(data).cast("B")
    # The package refuses memory that has to be released, such as a view. An array over it is none of that; but of few
    # sizes, since each is a type, which stays.
    at = 0
    for size, array in zip(_BLOCKS, arrays, strict=True) if not view.readonly else ():
        while len(view) - at >= size:
            value = extend(value, array.from_buffer(view, at))
            at += size
    for start in range(at, len(view), _BLOCKS[0]):
        value = extend(value, bytes(view[start : start + _BLOCKS[0]]))
    return value


@cache
def _package() -> tuple[Callable[[int, Any], int], Any]:
    import ctypes

    import google_crc32c

    return google_crc32c.extend, [ctypes.c_char * size for size in _BLOCKS]


def _crc32(value: int, data: Any) -> int:
    from zlib import crc32

    return crc32(data, value)


CRC32C = Crc("crc32c", 32, 0x82F63B78, _crc32c)
CRC32 = Crc("crc32", 32, 0xEDB88320, _crc32)


def crc_of(algorithm: str) -> Crc | None:
    """How to compute a CRC that every Mercury has: ``crc32c`` or ``crc32``; None for any other algorithm."""
    return {"crc32c": CRC32C, "crc32": CRC32}.get(algorithm)


def shown(crc: Crc, value: int) -> str:
    """A value as `ObjectInfo.checksums` has it: lower-case hexadecimal of full width.

    Examples:
        >>> shown(CRC32C, CRC32C.extend(0, b"123456789"))
        'e3069283'
    """
    return f"{value:0{crc.bits // 4}x}"


def join(crc: Crc, first: int, second: int, second_size: int) -> int:
    """The CRC of two blocks that follow each other, from those of each.

    The value of the first is multiplied by x to the number of bits of the second, modulo the polynomial over GF(2), as
    zlib's ``crc32_combine`` does it.

    Args:
        crc: The check; one whose value starts with all bits set and ends with all of them turned, as usual.
        first: That of the first block.
        second: That of the second block.
        second_size: The size of the second block in bytes.

    Examples:
        >>> whole = CRC32C.extend(0, b"ab" + b"cde")
        >>> join(CRC32C, CRC32C.extend(0, b"ab"), CRC32C.extend(0, b"cde"), 3) == whole
        True
    """
    return _product(first, _power(crc.bits, crc.polynomial, 8 * second_size), crc.bits, crc.polynomial) ^ second


@lru_cache(maxsize=256)
def _power(bits: int, polynomial: int, exponent: int) -> int:
    """A power of x, by squaring. The highest bit is the coefficient of 1, as everywhere here."""
    result, square = 1 << (bits - 1), 1 << (bits - 2)
    while exponent:
        if exponent & 1:
            result = _product(result, square, bits, polynomial)
        square = _product(square, square, bits, polynomial)
        exponent >>= 1
    return result


def _product(one: int, other: int, bits: int, polynomial: int) -> int:
    result = 0
    for place in range(bits - 1, -1, -1):
        if one >> place & 1:
            result ^= other
        other = other >> 1 ^ (polynomial if other & 1 else 0)
    return result


class Checksums:
    """Running checksums of several algorithms over the same bytes, in order.

    Attributes:
        size: Bytes so far.

    Examples:
        >>> running = Checksums(["crc32c", "md5"])
        >>> running.update(b"123456789")
        >>> running.hex("crc32c"), running.size
        ('e3069283', 9)
    """

    def __init__(self, algorithms: Iterable[str], crc: Callable[[str], Crc | None] = crc_of) -> None:
        """Compute `algorithms`; `crc` tells of one more than every Mercury has (see `ChecksumStore.crc`).

        Raises:
            ValueError: Nobody knows how to compute one of them.
        """
        self.size = 0
        self._crcs: dict[str, tuple[Crc, int]] = {}
        self._digests: dict[str, Any] = {}
        for name in algorithms:
            if name in DIGESTS:
                self._digests[name] = _digest(name)
            elif (known := crc_of(name) or crc(name)) is not None:
                self._crcs[name] = (known, 0)
            else:
                raise ValueError(f"no way is known to compute the checksum {name!r}")

    def update(self, data: Any) -> None:
        """Go on with the bytes of `data`."""
        self.size += len(data)
        for name, (crc, value) in self._crcs.items():
            self._crcs[name] = (crc, crc.extend(value, data))
        for digest in self._digests.values():
            digest.update(data)

    def hex(self, name: str) -> str:
        """One of them so far, as `ObjectInfo.checksums` has it."""
        if name in self._crcs:
            return shown(*self._crcs[name])
        return str(self._digests[name].hexdigest())

    @property
    def known(self) -> dict[str, str]:
        """All of them so far."""
        return {name: self.hex(name) for name in (*self._crcs, *self._digests)}

    def crc(self, name: str) -> int:
        """One of the CRCs so far, as a number."""
        return self._crcs[name][1]


def _digest(name: str) -> Any:
    import hashlib

    return hashlib.new(name, usedforsecurity=False)
