"""Readers of sources in a store: what is fetched, and that it is of one version."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.builtin import parquet_remote
from mercury_core.errors import (
    MissingColumnsError,
    ObjectChangedError,
    ObjectNotFoundError,
    ReadError,
    VerificationError,
)
from mercury_core.registry import SourceReaders
from mercury_core.storage.seekable import StoredFile
from tests.core import remote_parts
from tests.core.remote_parts import ASKED, MemoryStore, fetched, store

np = pytest.importorskip("numpy")
pa = pytest.importorskip("pyarrow")
from pyarrow import feather, ipc, parquet  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

URI = "mem://b/rows.parquet"
ROWS = 40_000


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    remote_parts.OBJECTS.clear()
    ASKED.clear()


def table(rows: int = ROWS) -> Any:
    generator = np.random.default_rng(7)
    columns = {f"f{place}": generator.normal(size=rows) for place in range(8)}
    return pa.table(
        {**columns, "n": np.arange(rows), "text": [f"row {n % 13}" for n in range(rows)], "none": pa.nulls(rows)}
    )


def as_parquet(content: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(content, sink, **options)
    return sink.getvalue()


def read(uri: str = URI, key: str = "parquet", **params: Any) -> Any:
    return SourceReaders[key](uri, store=MemoryStore(), **params)


@pytest.mark.parametrize("cell", [1, 200_000, 1 << 30])
@pytest.mark.parametrize("columns", [None, ["text"], ["f3", "n", "f1", "none"], ["f7"]])
def test_what_is_read_is_what_a_local_file_gives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, cell: int, columns: Any
) -> None:
    monkeypatch.setattr(parquet_remote, "_CELL", cell)
    content = as_parquet(table(), row_group_size=7_000)
    store(URI, content)
    (tmp_path / "rows.parquet").write_bytes(content)
    here = SourceReaders["parquet"](tmp_path / "rows.parquet", columns=columns)
    there = read(columns=columns)
    there.validate(full=True)
    assert there.equals(here)
    assert there.schema == here.schema.remove_metadata()


def test_only_the_columns_that_are_asked_for_are_fetched() -> None:
    content = as_parquet(table(), row_group_size=10_000, compression="none", use_dictionary=False)
    store(URI, content)
    read(columns=["f2"])
    needed = ROWS * 8
    assert needed < sum(fetched(URI)) < needed + 80_000
    assert sum(fetched(URI)) < len(content) / 6
    # The end of the file, and a range a row group.
    assert len(fetched(URI)) <= 5
    assert [what for what, _, _ in ASKED if what != "open"] == ["stat"]


def test_columns_that_lie_together_are_one_request() -> None:
    store(URI, as_parquet(table()))
    read(columns=["f2", "f3", "f4"])
    assert len(fetched(URI)) == 2


def test_a_small_file_is_one_request() -> None:
    store(URI, as_parquet(table(20)))
    assert read().num_rows == 20
    assert fetched(URI) == [len(remote_parts.OBJECTS[URI][1])]


def test_the_schema_is_in_the_end_of_the_file() -> None:
    store(URI, as_parquet(table()))
    assert SourceReaders["parquet"].schema(URI, store=MemoryStore()).names == table(0).column_names
    assert fetched(URI) == [64 << 10]


def test_row_groups_and_categories() -> None:
    store(URI, as_parquet(table(), row_group_size=10_000))
    some = read(columns=["n", "text"], row_groups=[3, 0, 3], dictionary_columns=["text"])
    assert some.column("n").to_pylist()[::10_000] == [30_000, 0, 30_000]
    assert some.schema.field("text").type == pa.dictionary(pa.int32(), pa.string())


def test_filters_leave_out_row_groups() -> None:
    store(URI, as_parquet(table(), row_group_size=10_000, compression="none"))
    found = read(columns=["n", "f0"], filters=[["n", ">=", 35_000]])
    assert found.column("n").to_pylist() == list(range(35_000, 40_000))
    assert sum(fetched(URI)) < 2 * 10_000 * 16 + 100_000


def test_names_with_a_dot_are_columns() -> None:
    whole = pa.table({"a.b": [1.0, 2.0], "a": [{"b": 1}, {"b": 2}], "c": [0.5, None]})
    store(URI, as_parquet(whole))
    assert read(columns=["c", "a.b"]).to_pydict() == {"c": [0.5, None], "a.b": [1.0, 2.0]}


def test_a_directory_of_files(tmp_path: Any) -> None:
    for year in (2023, 2024):
        store(f"mem://b/rows/year={year}/part.parquet", as_parquet(pa.table({"n": [year, year + 1], "m": [0, 1]})))
    store("mem://b/rows/_SUCCESS", b"")
    store("mem://b/rows/year=2024/", b"")
    store("mem://b/rows2/part.parquet", as_parquet(table(5)))
    for uri in ("mem://b/rows", "mem://b/rows/"):
        assert read(uri, columns=["year", "n"]).to_pydict() == {
            "year": [2023, 2023, 2024, 2024],
            "n": [2023, 2024, 2024, 2025],
        }
    assert read("mem://b/rows", filters=[["year", "=", 2024]]).num_rows == 2
    assert SourceReaders["parquet"].schema("mem://b/rows", store=MemoryStore()).names == ["n", "m", "year"]


@pytest.mark.parametrize("key", ["parquet", "arrow"])
def test_what_cannot_be_read_is_said(key: str) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"mem://b/rows\.parquet"):
        read(key=key)
    store(URI, b"")
    with pytest.raises(ReadError, match="it is empty"):
        read(key=key)
    store(URI, b"no such file at all, but of some length" * 3)
    with pytest.raises(ReadError, match=r"Cannot read mem://b/rows\.parquet: it is not"):
        read(key=key)
    store(URI, as_parquet(table(5)))
    if key == "parquet":
        with pytest.raises(MissingColumnsError, match=r"mem://b/rows\.parquet lacks the column 'f9'"):
            read(columns=["f9"])
    else:
        store("mem://b/d/a", b"x")
        with pytest.raises(ReadError, match="it is a directory"):
            read("mem://b/d", key="arrow")


def test_all_of_it_is_of_one_version(monkeypatch: pytest.MonkeyPatch) -> None:
    store(URI, as_parquet(table()))
    whole = MemoryStore()
    opened = whole.open

    def changing(uri: str, *args: Any, **named: Any) -> Any:
        data = opened(uri, *args, **named)
        store(URI, as_parquet(table(ROWS - 1)))
        return data

    monkeypatch.setattr(whole, "open", changing)
    with pytest.raises(ObjectChangedError, match=r"mem://b/rows\.parquet was changed"):
        SourceReaders["parquet"](URI, store=whole)


@pytest.mark.parametrize("how", ["file", "stream", "feather"])
def test_arrow_files(how: str) -> None:
    content = table().drop_columns(["none"])
    sink = io.BytesIO()
    if how == "feather":
        feather.write_feather(content, sink, compression="uncompressed")
    else:
        writer = (ipc.new_file if how == "file" else ipc.new_stream)(sink, content.schema)
        with writer:
            writer.write_table(content, max_chunksize=10_000)
    uri = "mem://b/rows.arrow"
    store(uri, sink.getvalue())
    assert read(uri, "arrow", columns=["n", "f5"]).equals(content.select(["n", "f5"]))
    if how != "stream":
        assert ROWS * 16 < sum(fetched(uri)) < ROWS * 16 + 250_000 < len(sink.getvalue()) / 3
    assert SourceReaders["arrow"].schema(uri, store=MemoryStore()).names == content.column_names


def test_pages_with_a_checksum_are_compared() -> None:
    content = as_parquet(table(), compression="none", use_dictionary=False, write_page_checksum=True)
    place = content.index(table().column("f2").chunk(0).buffers()[1].to_pybytes()[:64])
    store(URI, content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    assert read(columns=["f1"]).num_rows == ROWS
    with pytest.raises(ReadError, match=r"mem://b/rows\.parquet: .*damaged .*CRC"):
        read(columns=["f2"])


# --- an object as a file ---


class Trickle(io.RawIOBase):
    """Gives fewer bytes at a time than it is asked for."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._content.read(min(len(buffer), 1_000))
        buffer[: len(data)] = data
        return len(data)


def test_an_object_is_a_file_that_can_be_read_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * 2_000
    store(URI, content)
    whole = MemoryStore()
    opened = whole.open
    monkeypatch.setattr(whole, "open", lambda *args, **named: Trickle(opened(*args, **named).read()))
    file = StoredFile(whole, whole.stat(URI))
    assert (file.readable(), file.seekable(), file.tell()) == (True, True, 0)
    assert file.read(3) == content[:3]
    assert file.read(5_000) == content[3:5_003]  # that much comes with the first read
    assert len(fetched(URI)) == 1
    assert file.seek(-10, io.SEEK_END) == len(content) - 10
    assert file.read() == content[-10:]
    file.seek(-60_000, io.SEEK_CUR)
    assert file.read(50_000) == content[-60_000:-10_000]
    assert len(fetched(URI)) == 2
    file.seek(100_000)
    buffer = bytearray(20_000)
    assert file.readinto(buffer) == 20_000
    assert buffer == content[100_000:120_000]
    assert file.seek(1 << 40) == 1 << 40
    assert file.read(1) == b""


def test_an_object_that_is_shorter_than_was_said_is_refused() -> None:
    store(URI, b"x" * 300_000)
    whole = MemoryStore()
    file = StoredFile(whole, whole.stat(URI))
    remote_parts.OBJECTS[URI] = 1, b"x" * 100
    with pytest.raises(VerificationError, match=r"mem://b/rows\.parquet did not arrive whole"):
        file.read(200_000)
