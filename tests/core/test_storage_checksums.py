"""Checksums, computed and joined; and the stores of a job."""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from mercury_core.contracts import Crc
from mercury_core.storage.checksums import CRC32, CRC32C, Checksums, crc_of, join, shown


def bitwise(bits: int, polynomial: int) -> Crc:
    """A CRC by its definition, one bit at a time."""
    full = (1 << bits) - 1

    def extend(value: int, data: Any) -> int:
        value ^= full
        for byte in bytes(data):
            value ^= byte
            for _ in range(8):
                value = value >> 1 ^ (polynomial if value & 1 else 0)
        return value ^ full

    return Crc(f"crc{bits}", bits, polynomial, extend)


CRC64NVME = bitwise(64, 0x9A6C9329AC4BC9B5)
CHECKS = [CRC32C, CRC32, CRC64NVME, bitwise(16, 0xA001), bitwise(24, 0xDF3261)]


@pytest.mark.parametrize(("crc", "value"), [(CRC32C, "e3069283"), (CRC32, "cbf43926"), (CRC64NVME, "ae8b14860a799888")])
def test_the_published_check_values(crc: Crc, value: str) -> None:
    assert shown(crc, crc.extend(0, b"123456789")) == value


@given(data=st.binary(max_size=300))
def test_the_fast_ones_are_those_of_the_definition(data: bytes) -> None:
    assert CRC32C.extend(0, data) == bitwise(32, CRC32C.polynomial).extend(0, data)
    assert CRC32.extend(0, data) == zlib.crc32(data) == bitwise(32, CRC32.polynomial).extend(0, data)


@given(blocks=st.lists(st.binary(max_size=80), max_size=6), crc=st.sampled_from(CHECKS))
def test_parts_join_to_the_whole(blocks: list[bytes], crc: Crc) -> None:
    joined = 0
    for block in blocks:
        joined = join(crc, joined, crc.extend(0, block), len(block))
    assert joined == crc.extend(0, b"".join(blocks))


@given(one=st.binary(max_size=50), size=st.integers(0, 2**43), crc=st.sampled_from(CHECKS))
def test_parts_of_any_size_join_in_any_grouping(one: bytes, size: int, crc: Crc) -> None:
    a, b, c = (crc.extend(0, block) for block in (one, b"x", one[::-1]))
    left = join(crc, join(crc, a, b, size), c, len(one))
    right = join(crc, a, join(crc, b, c, len(one)), size + len(one))
    assert left == right


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(bytearray(data))])
def test_any_memory_is_taken(kind: Any) -> None:
    data = bytes(range(256)) * 9
    assert CRC32C.extend(7, kind(data)) == CRC32C.extend(7, data)
    held = bytearray(data)
    CRC32C.extend(0, memoryview(held)[100:200])
    held.extend(b"nobody holds it any more")


def test_running_checksums() -> None:
    running = Checksums(["crc32c", "md5", "sha1", "sha256", "crc64"], lambda name: CRC64NVME)
    for block in (b"1234", b"", bytearray(b"56789")):
        running.update(block)
    assert running.size == 9
    assert (running.hex("crc32c"), running.hex("crc64")) == ("e3069283", "ae8b14860a799888")
    for name in ("md5", "sha1", "sha256"):
        assert running.hex(name) == hashlib.new(name, b"123456789").hexdigest()


def test_an_algorithm_that_nobody_knows() -> None:
    assert (crc_of("crc32c"), crc_of("md5")) == (CRC32C, None)
    with pytest.raises(ValueError, match="no way is known to compute the checksum 'crc128'"):
        Checksums(["crc128"])
