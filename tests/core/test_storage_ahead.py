"""Streams that are read ahead, and work that is done in order on what comes in any."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.builtin.disk import FileStore
from mercury_core.errors import VerificationError
from mercury_core.storage.ahead import Ahead
from mercury_core.storage.in_order import InOrder
from mercury_core.storage.reading import Reading, Stream

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = os.urandom((6 << 20) + 5)


def stream(path: Path, size: int = len(CONTENT)) -> Ahead:
    path.write_bytes(CONTENT)
    store: Any = FileStore()
    info = replace(store.stat(str(path)), size=size)
    return Ahead(Stream(Reading(store, str(path)), info, lambda _: None))


def readers() -> int:
    return sum(thread.name == "mercury-ahead" for thread in threading.enumerate())


def test_all_of_it_is_given_and_the_sums_are_those_of_it(tmp_path: Path) -> None:
    with stream(tmp_path / "a") as data:
        assert data.read() == CONTENT
        assert data.read() == b""
        assert data.sums.size == data.size == len(CONTENT)
    assert not readers()


def test_it_can_begin_again_in_the_middle_and_at_the_end(tmp_path: Path) -> None:
    with stream(tmp_path / "a") as data:
        data.rewind()
        assert data.readinto(bytearray(1000)) == 1000
        data.rewind()
        assert data.read() == CONTENT
        data.rewind()
        assert data.read() == CONTENT
        assert data.sums.size == len(CONTENT)
    assert not readers()


def test_what_the_reader_raises_is_raised_by_whoever_reads(tmp_path: Path) -> None:
    with stream(tmp_path / "a", len(CONTENT) + 7) as data, pytest.raises(VerificationError):
        data.read()
    assert not readers()


def test_no_thread_is_left_of_what_was_not_read_to_its_end(tmp_path: Path) -> None:
    with stream(tmp_path / "a") as data:
        assert data.readinto(bytearray(10)) == 10
    assert not readers()


def test_work_is_done_in_order_by_whoever_comes() -> None:
    done: list[int] = []
    order = InOrder(done.append)
    for number in (2, 1, 0, 4):
        order.add(number)
    assert done == [0, 1, 2]
    order.add(3)
    assert done == [0, 1, 2, 3, 4]


def test_numbers_that_come_meanwhile_are_left_to_the_one_who_is_at_it() -> None:
    done: list[tuple[int, str]] = []

    def work(number: int) -> None:
        if number == 0:
            other = threading.Thread(target=order.add, args=(1,), name="other")
            other.start()
            other.join()
        done.append((number, threading.current_thread().name))

    order = InOrder(work)
    order.add(0)
    assert [number for number, _ in done] == [0, 1]
    assert len({name for _, name in done}) == 1
