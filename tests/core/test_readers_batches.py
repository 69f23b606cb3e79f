"""Sources that are read piece by piece: laid one below the other, the pieces are what is read of the whole."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pyarrow import ipc

from mercury_core import registry
from mercury_core.builtin import csv_batches, csv_file
from mercury_core.builtin.sources import batched
from mercury_core.contracts import BatchedReader
from mercury_core.errors import ArgumentsError, MissingColumnsError, ObjectNotFoundError, ReadError
from mercury_core.reading import read_batches
from tests.core.remote_parts import memory, store

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["memory"]
FREELY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def reader(key: str) -> Any:
    found = registry.resolve("read", key)
    assert isinstance(found, BatchedReader)
    return found


def same(key: str, source: object, rows: int, skip: int = 0, **params: Any) -> None:
    """The pieces have the right size, and are the whole, but for what is skipped."""
    whole = reader(key)(str(source), **params)
    pieces = list(reader(key).batches(str(source), rows=rows, skip=skip, **params))
    left = max(whole.num_rows - skip, 0)
    sizes = [min(rows, left - start) for start in range(0, left, rows)] or [0] * (not skip)
    assert [piece.num_rows for piece in pieces] == sizes
    if pieces:
        found, expected = pa.concat_tables(pieces), whole.slice(skip)
        assert found.schema.equals(expected.schema)
        assert found.to_pydict() == expected.to_pydict()


@FREELY
@given(sizes=st.lists(st.integers(0, 7), min_size=1, max_size=5), rows=st.integers(1, 9), skip=st.integers(0, 20))
def test_pieces_of_pieces(sizes: list[int], rows: int, skip: int) -> None:
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    tables = [pa.table({"a": list(range(at, at + size))}) for at, size in zip(starts, sizes, strict=True)]
    tables = [table.cast(pa.schema([("a", pa.int64())])) for table in tables]
    found = [piece["a"].to_pylist() for piece in batched(tables, rows, skip)]
    assert [one for piece in found for one in piece] == list(range(skip, sum(sizes)))
    assert all(len(piece) == rows for piece in found[:-1])
    assert all(found) or (not skip and found == [[]])


TABLE = pa.table(
    {
        "id": pa.array(range(23)),
        "a": [None if row % 7 == 0 else row / 2 for row in range(23)],
        "b": [float(row) for row in range(23)],
        "where": pa.array(["north", "south", None, "x.y"] * 5 + ["east"] * 3).dictionary_encode(),
        "dotted.name": [[row] for row in range(23)],
    }
)


@FREELY
@given(
    group=st.integers(1, 30),
    rows=st.integers(1, 30),
    skip=st.integers(0, 30),
    columns=st.permutations(TABLE.column_names),
)
def test_parquet_and_arrow(group: int, rows: int, skip: int, columns: list[str], tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet", row_group_size=group)
    with ipc.new_file(tmp_path / "t.arrow", TABLE.schema) as file:
        file.write_table(TABLE, max_chunksize=group)
    with ipc.new_stream(tmp_path / "t.arrows", TABLE.schema) as stream:
        stream.write_table(TABLE, max_chunksize=group)
    for key, name in (("parquet", "t.parquet"), ("arrow", "t.arrow"), ("arrow", "t.arrows")):
        same(key, tmp_path / name, rows, skip, columns=columns[:3])
        same(key, tmp_path / name, rows, skip)


def test_parquet_of_a_directory_of_groups_and_with_filters(tmp_path: Path) -> None:
    flat = TABLE.drop_columns(["dotted.name"])
    pq.write_to_dataset(flat.set_column(3, "where", flat["where"].cast("string")), tmp_path / "d", ["where"])
    pq.write_table(flat, tmp_path / "t.parquet", row_group_size=4)
    for rows, skip in ((3, 0), (50, 5), (1, 22)):
        same("parquet", tmp_path / "d", rows, skip)
        same("parquet", tmp_path / "d", rows, skip, columns=["b", "where", "id"], filters=[["id", ">", 4]])
        same("parquet", tmp_path / "t.parquet", rows, skip, filters=[["where", "=", "north"]], columns=["a"])
        same("parquet", tmp_path / "t.parquet", rows, skip, row_groups=[3, 1])
    pq.write_table(flat.slice(0, 0), tmp_path / "empty.parquet")
    same("parquet", tmp_path / "empty.parquet", 5)
    with pytest.raises(ArgumentsError, match="no row group 9"):
        list(reader("parquet").batches(str(tmp_path / "t.parquet"), rows=2, row_groups=[9]))


POOL = (
    *("", "NA", "1", "0", "-7", "true", "false", "2020-01-01", "12:30:00", "2020-01-01 10:00:00"),
    *("2020-01-01 10:00:00.5", "2020-01-01 10:00:00Z", "2020-01-01 10:00:00.25Z", "1.5", "1e3", "x", '"q"', "é"),
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Rows whose columns change their types on the way."""
    count = draw(st.integers(1, 3))
    pools = [draw(st.lists(st.lists(st.sampled_from(POOL), min_size=1, max_size=2), max_size=3)) for _ in range(count)]
    columns = [[one for pool in some for one in pool * draw(st.integers(1, 6))] for some in pools]
    size = max(map(len, columns)) + 1
    rows = zip(*(["1"] * (size - len(column)) + column for column in columns), strict=True)
    return "".join(f"{','.join(row)}\n" for row in [[f"c{place}" for place in range(count)], *rows])


@FREELY
@given(text=texts(), rows=st.integers(1, 12), skip=st.integers(0, 12), part=st.integers(8, 200), ending=st.booleans())
def test_csv_has_the_types_of_the_whole(
    text: str, rows: int, skip: int, part: int, ending: bool, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text if ending else text.rstrip("\n"), encoding="utf-8")
    whole = reader("csv")(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_batches, "PART", part)
        patch.setattr(csv_file, "_BLOCK", 80)  # so that the first block shows a few rows only
        pieces = list(reader("csv").batches(path, rows=rows, skip=skip))
    left = max(whole.num_rows - skip, 0)
    assert sum(piece.num_rows for piece in pieces) == left
    if pieces:
        assert pa.concat_tables(pieces).equals(whole.slice(skip))


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ('a,b\n1,"x\ny"\n2,z\n3,w\n', {"newlines_in_values": True}),
        ('a,b\n1,5" pipe\n2,z\n3,6" pipe\n', {"quote_char": None}),
        ("a;b\n1;2,5\n3;4,5\n5;x\n", {"delimiter": ";", "decimal_point": ","}),
        ("note\na,b\n1,2\n3,4\n5,6\n", {"skip_rows": 1, "columns": ["b"]}),
        ("1,2\n3,4\n5,6\n", {"autogenerate_column_names": True}),
        ("a,b\n1,2\n3\n5,6\n", {"invalid_rows": "skip"}),
        ("a,b\n01,x\n02,y\n03,x\n", {"column_types": {"a": "string", "b": "category"}}),
        ("a,b\né,1\nü,2\n", {"encoding": "latin-1"}),
        ("a,b\né,1\nü,2\n", {"encoding": "utf-16"}),
    ],
)
def test_csv_of_every_dialect(
    text: str, params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = text.encode(params.get("encoding", "utf-8"))
    (tmp_path / "t.csv").write_bytes(content)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(csv_batches, "PART", 9)
    for name in ("t.csv", "t.csv.gz"):
        for rows, skip in ((1, 0), (2, 1), (9, 2)):
            same("csv", tmp_path / name, rows, skip, **params)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,4,5\n", "line 3"),
        ('a,b\n1,"2\n3,4\n', "the quote that opens in line 2 is never closed"),
        ("a;b\n1;2\n", "Did you mean delimiter=';'"),
        ("a,b\nx,1\n", "column 'a' in line 2 holds 'x'"),
    ],
)
def test_csv_that_is_none_says_the_same_as_when_it_is_read_whole(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    params: dict[str, Any] = {"columns": ["a", "b"], "column_types": {"a": "int64"}}
    with pytest.raises(ReadError, match=message) as whole:
        reader("csv")(tmp_path / "t.csv", **params)
    with pytest.raises(ReadError) as pieces:
        list(reader("csv").batches(tmp_path / "t.csv", rows=2, **params))
    assert str(pieces.value) == str(whole.value)


def test_csv_that_is_no_utf8_further_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_batches, "PART", 9)
    (tmp_path / "t.csv").write_bytes(b"a\n" + b"x\n" * 50 + b"\xe9\n")
    with pytest.raises(ReadError, match=r"the column 'a' holds bytes that are not UTF-8"):
        list(reader("csv").batches(tmp_path / "t.csv", rows=2))


@pytest.mark.parametrize(("key", "name"), [("parquet", "t.parquet"), ("arrow", "t.arrow"), ("csv", "t.csv")])
def test_what_is_not_there_or_is_something_else(key: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError):
        list(reader(key).batches(str(tmp_path / name), rows=2))
    (tmp_path / name).write_bytes(b"\0 no such file, and a little longer than a footer would be\n")
    with pytest.raises(ReadError, match=name):
        list(reader(key).batches(str(tmp_path / name), rows=2))


@pytest.mark.usefixtures("memory")
def test_pieces_of_what_lies_in_a_store(tmp_path: Path) -> None:
    flat = TABLE.drop_columns(["dotted.name"])
    pq.write_table(flat, tmp_path / "t.parquet", row_group_size=4)
    with ipc.new_file(tmp_path / "t.arrow", flat.schema) as file:
        file.write_table(flat, max_chunksize=5)
    (tmp_path / "t.csv").write_text("id,a\n1,2\n3,4\n5,6\n")
    for name in ("t.parquet", "t.arrow", "t.csv"):
        store(f"mem://b/d/{name}", (tmp_path / name).read_bytes())
    store("mem://b/parts/1.parquet", (tmp_path / "t.parquet").read_bytes())
    store("mem://b/parts/2.parquet", (tmp_path / "t.parquet").read_bytes())
    for uri, count in (("d/t.parquet", 23), ("d/t.arrow", 23), ("d/t.csv", 3), ("parts/", 46)):
        how = {"reader": "parquet"} if uri == "parts/" else {}
        for skip in (0, 2):
            pieces = list(read_batches(f"mem://b/{uri}", rows=3, roles={"index": "id"}, skip=skip, **how))
            ids = [one for piece in pieces for one in piece.index.to("arrow").underlying["id"].to_pylist()]
            expected = {3: [1, 3, 5], 23: list(range(23)), 46: [*range(23), *range(23)]}[count]
            assert ids == expected[skip:]
            assert max(piece.num_rows for piece in pieces) <= 3


def test_a_reader_without_pieces_is_read_whole_and_missing_columns_bear_the_name_of_the_source() -> None:
    def rows(source: str) -> pa.Table:
        return pa.table({"a": [1, 2, 3]})

    pieces = list(read_batches("anything", rows=2, reader=rows))
    assert [piece.num_rows for piece in pieces] == [2, 1]
    with pytest.raises(MissingColumnsError, match="anything lacks the column 'z'"):
        list(read_batches("anything", rows=2, reader=rows, roles={"features": ["z"]}))
