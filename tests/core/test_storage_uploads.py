"""Large objects in parts: what has arrived is not sent again, and what nobody will go on with is removed."""

from __future__ import annotations

import os
import stat
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core import registry
from mercury_core.errors import ObjectExistsError, StoreAccessError, UploadGoneError, VerificationError
from mercury_core.storage import copy
from tests.core.storing import (
    SMALL,
    Conditional,
    Parts,
    PartsInOrder,
    Stop,
    Telling,
    World,
    content,
    crc32c_of,
    failing,
    stores,
    well,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["stores"]
PART = SMALL // 2
COUNT = 21
LARGE = content((COUNT - 1) * PART + 7)
KINDS = {"parts": Parts, "in-order": PartsInOrder}


def begun(stores: Callable[..., World], kind: str, sent: int = 8, **settings: Any) -> tuple[World, World]:
    """Two stores, and an upload from one to the other that was interrupted."""
    one, two = stores("one", Telling), stores("two", Conditional, Telling, KINDS[kind], **settings)
    one.fill({"one://b/x": LARGE})
    failing(two, "put_part", sent)
    with pytest.raises(Stop):
        copy("one://b/x", "two://b/x")
    assert two.contents() == {}
    assert len(two.uploads) == 1
    well(one)
    well(two)
    return one, two


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("overwrite", ["error", "skip", "replace"])
def test_an_upload_goes_on_at_the_first_missing_part(
    overwrite: str, told: bool, kind: str, stores: Callable[..., World], tmp_path: Path
) -> None:
    _, two = begun(stores, kind, part_checksums=told)
    (record,) = (tmp_path / "cache" / "copies").iterdir()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    report = copy("one://b/x", "two://b/x", overwrite=overwrite)
    assert (two.calls["put_part"], two.calls["begin"], report.resumed) == (COUNT - 8, 0, 1)
    assert (two.contents(), two.uploads) == ({"two://b/x": LARGE}, {})
    assert report.checksums == {"x": crc32c_of(LARGE)}
    assert report.bytes == len(LARGE)
    assert not record.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_that_is_another_one_is_sent_again(kind: str, stores: Callable[..., World]) -> None:
    _, two = begun(stores, kind)
    (upload,) = two.uploads.values()
    upload[1][2] = upload[1][2][::-1]
    copy("one://b/x", "two://b/x")
    assert (two.contents(), two.uploads) == ({"two://b/x": LARGE}, {})
    assert two.calls["put_part"] == (COUNT if kind == "in-order" else COUNT - 7)


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_changed_is_sent_anew(kind: str, stores: Callable[..., World]) -> None:
    one, two = begun(stores, kind)
    one.fill({"one://b/x": LARGE[::-1]})
    assert copy("one://b/x", "two://b/x").resumed == 0
    assert (two.contents(), two.uploads) == ({"two://b/x": LARGE[::-1]}, {})
    assert (two.calls["put_part"], two.calls["abort"]) == (COUNT, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_upload_that_is_gone_begins_anew(kind: str, stores: Callable[..., World]) -> None:
    _, two = begun(stores, kind)
    two.uploads.clear()
    assert copy("one://b/x", "two://b/x").resumed == 0
    assert (two.contents(), two.calls["put_part"]) == ({"two://b/x": LARGE}, COUNT)


@pytest.mark.parametrize("kind", KINDS)
def test_an_upload_that_goes_meanwhile_is_begun_again(kind: str, stores: Callable[..., World]) -> None:
    one, two = stores("one"), stores("two", KINDS[kind])
    one.fill({"one://b/x": LARGE})
    two.before = lambda call, uri: two.uploads.clear() if call == "put_part" and two.calls[call] == 9 else None
    copy("one://b/x", "two://b/x")
    assert (two.contents(), two.calls["begin"]) == ({"two://b/x": LARGE}, 2)
    two.before = lambda call, uri: two.uploads.clear()
    with pytest.raises(UploadGoneError, match="The unfinished upload to two://b/y is not there any more"):
        copy("one://b/x", "two://b/y")


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_that_arrives_wrong_is_sent_again(kind: str, stores: Callable[..., World]) -> None:
    one, two = stores("one"), stores("two", Telling, KINDS[kind])
    one.fill({"one://b/x": LARGE})
    failing(two, "put_part", 4, VerificationError("two://b/x", "a", "b"))
    whole = two.before
    two.before = lambda call, uri: whole(call, uri) if two.calls["put_part"] < 7 else None
    copy("one://b/x", "two://b/x")
    assert (two.contents(), two.calls["begin"]) == ({"two://b/x": LARGE}, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_who_was_faster_wins_and_no_upload_is_left(kind: str, stores: Callable[..., World], tmp_path: Path) -> None:
    one, two = stores("one"), stores("two", Conditional, KINDS[kind])
    one.fill({"one://b/x": LARGE})
    two.before = lambda call, uri: two.fill({uri: b"faster"}) if call == "finish" else None
    with pytest.raises(ObjectExistsError):
        copy("one://b/x", "two://b/x")
    assert (two.contents(), two.uploads) == ({"two://b/x": b"faster"}, {})
    with pytest.raises(ObjectExistsError):
        copy("one://b/x", "two://b/x")
    assert two.calls["begin"] == 2
    assert list((tmp_path / "cache" / "copies").iterdir()) == []


def test_a_copy_that_died_after_the_end_is_recognized(stores: Callable[..., World]) -> None:
    _, two = begun(stores, "parts")
    two.before = lambda call, uri: two.fill({uri: LARGE}) if call == "stat" else None
    assert copy("one://b/x", "two://b/x").resumed == 1
    assert two.calls["put_part"] == 0


def test_in_order_means_one_at_a_time_and_the_next_is_read_meanwhile(stores: Callable[..., World]) -> None:
    one, two = stores("one"), stores("two", PartsInOrder)
    one.fill({"one://b/x": LARGE})
    sending, most, ahead = [0], [0], threading.Event()

    def before(call: str, uri: str) -> None:
        if call == "put_part":
            if two.calls[call] == 1:
                assert ahead.wait(10)  # the second part is read while the first is sent
            sending[0] += 1
            most[0] = max(most[0], sending[0])
            sending[0] -= 1

    two.before = before
    one.before = lambda call, uri: ahead.set() if call == "open" and one.calls[call] == 2 else None
    copy("one://b/x", "two://b/x")
    assert most == [1]


def test_large_objects_beside_each_other_wait_for_memory_and_not_for_ever(
    stores: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mercury_core.storage.pool.BUFFERS", 3 * PART)
    monkeypatch.setattr("mercury_core.storage.pool._UNCOUNTED", 0)
    for abilities in ((Telling, Parts), (Telling, PartsInOrder)):
        one, two = stores("one", Telling, tells=("md5",)), stores("two", *abilities)
        one.fill({f"one://b/t/{number}": LARGE for number in range(12)})
        copy("one://b/t", "two://b/t")
        assert two.contents("two://b/t/") == {str(number): LARGE for number in range(12)}


# --- what nobody goes on with ---


def old(tmp_path: Path) -> Path:
    (record,) = (tmp_path / "cache" / "copies").iterdir()
    week = time.time() - 8 * 24 * 3600
    os.utime(record, (week, week))
    return record


@pytest.mark.parametrize("refused", [False, True])
def test_an_upload_of_what_came_another_way_is_removed(
    refused: bool, stores: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    one, two = stores("one", Telling), stores("two", Telling, Parts)
    one.fill({"one://b/t/x": LARGE})
    failing(two, "put_part", 3)
    with pytest.raises(Stop):
        copy("one://b/t", "two://b/t")
    well(two)
    one.fill({"one://b/t/x": b"small by now"})
    if refused:
        failing(two, "abort", 0, StoreAccessError("delete", "two://b/t/x", "permission denied"))
    copy("one://b/t", "two://b/t")
    assert two.contents() == {"two://b/t/x": b"small by now"}
    assert len(two.uploads) == refused
    assert ("An unfinished upload could not be removed: Cannot delete two://b/t/x" in caplog.text) == refused


def test_old_uploads_are_removed_by_the_next_copy(stores: Callable[..., World], tmp_path: Path) -> None:
    one, two = begun(stores, "parts")
    record = old(tmp_path)
    one.fill({"one://b/y": LARGE, "one://b/small": b"x"})
    copy("one://b/small", "two://b/small")
    assert record.exists()  # a small file is not worth the look
    copy("one://b/y", "two://b/y")
    assert (two.uploads, record.exists()) == ({}, False)


def test_old_uploads_of_other_stores_are_left(stores: Callable[..., World], tmp_path: Path) -> None:
    _, two = begun(stores, "parts")
    record = old(tmp_path)
    stores("three", Parts)
    copy("one://b/x", "three://b/x")
    assert record.exists()
    assert len(two.uploads) == 1


def test_an_old_upload_that_cannot_be_removed_is_no_fault_of_today(
    stores: Callable[..., World], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = begun(stores, "parts")
    record = old(tmp_path)
    one.fill({"one://b/y": LARGE})
    failing(two, "abort", 0, StoreAccessError("delete", "two://b/x", "permission denied"))
    copy("one://b/y", "two://b/y")
    assert record.exists()
    assert "An old unfinished upload could not be removed: Cannot delete two://b/x: permission denied" in caplog.text


@pytest.mark.parametrize("data", [b"", b"nonsense", b"[]\n{}\n", b'[1, 2, 3]\n["upload"]\n'])
def test_a_record_of_anything(data: bytes, stores: Callable[..., World], tmp_path: Path) -> None:
    _, two = begun(stores, "parts")
    (record,) = (tmp_path / "cache" / "copies").iterdir()
    record.write_bytes(data)
    assert copy("one://b/x", "two://b/x").resumed == 0
    assert two.contents() == {"two://b/x": LARGE}


def test_a_copy_is_stopped_at_once_while_an_upload_runs(stores: Callable[..., World]) -> None:
    one, two = stores("one"), stores("two", PartsInOrder)
    one.fill({f"one://b/t/{number}": LARGE for number in range(3)})
    failing(two, "put_part", 5, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        copy("one://b/t", "two://b/t")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mercury-copy")]
    well(two)
    copy("one://b/t", "two://b/t")
    assert (len(two.objects), two.uploads) == (3, {})
    assert registry.resolve("copy", "two").parts_in_order
