"""Which reader, which columns, which source: what all readers have in common, and Parquet, JSON and Arrow."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, json, parquet

from mercury_core import DataSet, read_data_bunch
from mercury_core.builtin import readers
from mercury_core.builtin.readers import read_arrow, read_csv, read_json, read_parquet
from mercury_core.contracts import SchemaReader
from mercury_core.data.matrix import as_matrix
from mercury_core.endings import reader_for
from mercury_core.errors import (
    ArgumentsError,
    MissingColumnsError,
    ObjectNotFoundError,
    ReadError,
    RolesError,
    UriError,
)

if TYPE_CHECKING:
    from pathlib import Path

TABLE = pa.table({"a": [1.0, None, 3.0], "s": ["x", "y", None], "b": [1.5, 2.5, 3.5], "i": [1, 2, 3]})
READERS = {"csv": read_csv, "parquet": read_parquet, "json": read_json, "arrow": read_arrow}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """The same table in every format."""
    paths = {name: tmp_path / f"table.{name}" for name in ("csv", "parquet", "json", "arrow", "arrows")}
    paths["csv"].write_text("a,s,b,i\n1.0,x,1.5,1\n,y,2.5,2\n3.0,,3.5,3\n")
    parquet.write_table(TABLE, paths["parquet"], row_group_size=2)
    rows = ['{"a":1.0,"s":"x","b":1.5,"i":1}', '{"a":null,"s":"y","b":2.5,"i":2}', '{"a":3.0,"s":null,"b":3.5,"i":3}']
    paths["json"].write_text("\n".join(rows))
    feather.write_feather(TABLE, str(paths["arrow"]))
    with ipc.new_stream(str(paths["arrows"]), TABLE.schema) as writer:
        writer.write_table(TABLE)
    return paths


@pytest.mark.parametrize("name", ["csv", "parquet", "json", "arrow", "arrows"])
def test_every_reader_reads_the_same_table_and_its_columns(files: dict[str, Path], name: str) -> None:
    read: Any = READERS[reader_for(files[name])]
    assert isinstance(read, SchemaReader)
    assert read(files[name]).to_pydict() == TABLE.to_pydict()
    assert read(files[name].as_uri(), columns=["b", "s"]).to_pydict() == TABLE.select(["b", "s"]).to_pydict()
    schema = read.schema(str(files[name]), columns=["i", "a"])
    assert (schema.names, schema.types) == (["i", "a"], [pa.int64(), pa.float64()])
    for call in (read, read.schema):
        with pytest.raises(MissingColumnsError, match=r"lacks the column 'ii'; it has: a, s, b, i\."):
            call(files[name], columns=["a", "ii"])


@pytest.mark.parametrize("name", sorted(READERS))
def test_sources_that_cannot_be_opened(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = READERS[name]
    with pytest.raises(ObjectNotFoundError, match=r"Nothing is stored at .*nothing"):
        read(tmp_path / "nothing")
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(ReadError, match=r"empty: it is empty\. Check what wrote it\."):
        read(empty)
    with pytest.raises(UriError, match="not on the local disk"):
        read("s3://bucket/key.csv")
    if name != "parquet":
        with pytest.raises(ReadError, match=r"it is a directory\. Name one file in it\."):
            read(tmp_path)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(ReadError, match=r"the system says: Permission denied\. Check the permissions"):
        read(empty)


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("a.csv", "csv"),
        ("A.CSV", "csv"),
        ("a.tsv.gz", "csv"),
        ("a.parquet", "parquet"),
        ("s3://b/folder.parquet/", "parquet"),
        ("a.jsonl", "json"),
        ("a.ndjson.zst", "json"),
        ("a.feather", "arrow"),
        ("a.ipc", "arrow"),
    ],
)
def test_the_ending_tells_the_reader(source: str, key: str) -> None:
    assert reader_for(source) == key


def test_an_ending_that_tells_nothing() -> None:
    with pytest.raises(
        ReadError, match=r"names that end in '\.parqet'\. Did you mean '\.parquet' or '\.pq'\? Say which reader"
    ):
        reader_for("a.parqet")
    with pytest.raises(ReadError, match="its name has no ending"):
        reader_for("data")


def test_there_are_no_other_readers() -> None:
    with pytest.raises(AttributeError, match="read_excel"):
        _ = readers.read_excel  # type: ignore[attr-defined]


# --- parquet ---


def test_parquet_floats_are_a_matrix_already(files: dict[str, Path]) -> None:
    table = read_parquet(files["parquet"])
    table.validate(full=True)
    matrix = as_matrix(table.select(["a", "b"]))
    assert matrix.__array_interface__["data"][0] == table.column("a").chunk(0).buffers()[1].address
    np.testing.assert_array_equal(matrix, [[1.0, 1.5], [np.nan, 2.5], [3.0, 3.5]])


def test_parquet_row_groups_filters_and_categories(files: dict[str, Path]) -> None:
    path = files["parquet"]
    assert read_parquet(path, row_groups=[1]).to_pydict() == TABLE.slice(2).to_pydict()
    assert read_parquet(path, columns=["s"], filters=[["i", ">", 1]]).to_pydict() == {"s": ["y", None]}
    either = [[["i", ">", 1], ["a", "==", 3.0]], [["i", "==", 1]]]
    assert read_parquet(path, columns=["i"], filters=either).to_pydict() == {"i": [1, 3]}
    assert pa.types.is_dictionary(read_parquet(path, dictionary_columns=["s"]).schema.field("s").type)
    with pytest.raises(ArgumentsError, match="there is no row group 2; the file has 2, numbered from 0"):
        read_parquet(path, row_groups=[2])
    with pytest.raises(ArgumentsError, match="those of one file, and without filters"):
        read_parquet(path, row_groups=[0], filters=[["i", ">", 1]])
    with pytest.raises(ArgumentsError, match=r"expected \[\[column, operator, value\], \.\.\.\], found \['i'\]"):
        read_parquet(path, filters=["i"])
    with pytest.raises(MissingColumnsError, match="lacks the column 'z'"):
        read_parquet(path, filters=[["z", ">", 1]])


def test_parquet_names_with_dots_are_no_paths(tmp_path: Path) -> None:
    table = pa.table({"x.a": [1.0], "x": [2.0], "y": [3.0]})
    parquet.write_table(table, tmp_path / "t.parquet")
    assert read_parquet(tmp_path / "t.parquet", columns=["y", "x.a"]).to_pydict() == {"y": [3.0], "x.a": [1.0]}


def test_a_directory_of_parquet(tmp_path: Path) -> None:
    for year in (2023, 2024):
        (tmp_path / f"year={year}").mkdir()
        parquet.write_table(pa.table({"v": [float(year)]}), tmp_path / f"year={year}" / "part.parquet")
    assert read_parquet(tmp_path, columns=["v", "year"]).to_pydict() == {"v": [2023.0, 2024.0], "year": [2023, 2024]}
    assert read_parquet(tmp_path, filters=[["year", "=", 2024]]).num_rows == 1
    assert read_parquet.schema(tmp_path).names == ["v", "year"]


@pytest.mark.parametrize("damage", ["text", "truncated", "footer"])
def test_what_is_not_parquet(files: dict[str, Path], damage: str) -> None:
    data = files["parquet"].read_bytes()
    broken = {"text": b"a,b\n1,2\n" * 5, "truncated": data[:-40], "footer": data[:-60] + bytes(52) + data[-8:]}
    files["parquet"].write_bytes(broken[damage])
    for call in (read_parquet, read_parquet.schema):
        with pytest.raises(
            ReadError, match=r"it is not a Parquet file, or it is damaged \(.*Name the reader that fits"
        ):
            call(files["parquet"])


# --- json ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}\n{"a": 2.5, "b": "x"}\n', {"a": [1.0, 2.5], "b": [None, "x"]}),
        ('[{"a": 1}, {"b": "x"}]', {"a": [1, None], "b": [None, "x"]}),
        ('\ufeff{"a": 1}\n', {"a": [1]}),
        ('\ufeff \n[{"a": null}]\n', {"a": [None]}),
    ],
)
def test_json_of_both_kinds(tmp_path: Path, text: str, expected: dict[str, Any]) -> None:
    path = tmp_path / "t.json"
    path.write_text(text, "utf-8")
    assert read_json(path).to_pydict() == expected
    packed = tmp_path / "t.json.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert read_json(packed).to_pydict() == expected


def test_json_options(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('{\n"a": 1\n}\n')
    assert read_json(path, newlines_in_values=True).to_pydict() == {"a": [1]}
    for text in ('{"a": 1}\n', '[{"a": 1}]'):
        path.write_text(text)
        assert read_json(path, column_types={"a": "float64"}).schema.field("a").type == pa.float64()
        with pytest.raises(ArgumentsError, match="'a' is to be 'flaot', which is no type"):
            read_json(path, column_types={"a": "flaot"})
    path.write_text('{"a": "' + "x" * 500 + '"}\n{"a": "y"}\n')
    with pytest.raises(ReadError, match=r"longer than a block. Give newlines_in_values=True, or a larger block_size"):
        read_json(path, block_size=100)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (" \n", "it holds no object"),
        ("[]", "it holds no object"),
        ("[1, 2]", "it is not an array of objects .*Write one object a row"),
        ('[{"a": 1}', r"it is not JSON \(.*truncated"),
        ('[{"a": 1}, {"a": "x"}]', "the column 'a' holds values of more than one kind"),
        ('{"a": 1}\n{"a": "x"}\n', r"the column 'a' changes its kind, near row 2 of a block \(number to string\)"),
        ('{"a": 1}\nfoo\n', "it is not JSON, one object a line, near row 2 of a block"),
        ('{"a": {"b": 1}}\n', "the column 'a' holds objects or lists. Flatten it"),
        ('[{"a": [1]}]', "the column 'a' holds objects or lists. Flatten it"),
    ],
)
def test_json_that_is_no_table(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(ReadError, match=says):
        read_json(path)


def test_json_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    for text in (b'{"a": "\xe9"}\n', b'[{"a": "\xe9"}]'):
        path.write_bytes(text)
        with pytest.raises(ReadError, match=r"not UTF-8|not JSON"):
            read_json(path)


def test_a_nested_column_that_is_not_asked_for_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('{"a": {"b": 1}, "c": 2}\n')
    assert read_json(path, columns=["c"]).to_pydict() == {"c": [2]}


# --- arrow ---


def test_arrow_may_be_mapped(files: dict[str, Path]) -> None:
    assert read_arrow(files["arrow"], columns=["s"], memory_map=True).to_pydict() == {"s": ["x", "y", None]}


@pytest.mark.parametrize("name", ["arrow", "arrows"])
def test_what_is_not_arrow(files: dict[str, Path], name: str) -> None:
    data = files[name].read_bytes()
    for broken in (data[: len(data) // 2], b"a,b\n1,2\n" * 5):
        files[name].write_bytes(broken)
        with pytest.raises(ReadError, match=r"it is not an Arrow IPC file or stream, or it is damaged \("):
            read_arrow(files[name])
    files[name].write_bytes(b"FEA1" + bytes(40))
    with pytest.raises(ReadError, match=r"it is Feather version 1. Write it again as version 2"):
        read_arrow(files[name])


def test_pyarrow_still_reads_json_as_this_suite_believes(tmp_path: Path) -> None:
    """The wording that is translated comes from pyarrow: here it is, raw."""
    path = tmp_path / "t.json"
    path.write_text('{"a": 1}\n{"a": "x"}\n')
    with pytest.raises(pa.ArrowInvalid, match=r"Column\(/a\) changed from number to string in row 1"):
        json.read_json(path)


def test_roles_beside_a_reader_that_has_its_own_are_refused(tmp_path: Path) -> None:
    def read_sorted(source: str) -> DataSet:
        return DataSet.from_table(TABLE, {"targets": "s"})

    assert list(read_data_bunch(tmp_path, reader=read_sorted).data) == ["targets", "features"]
    message = r"The reader of .* says itself which of its columns are what \(targets, features\): leave 'roles' out\."
    with pytest.raises(RolesError, match=message):
        read_data_bunch(tmp_path, reader=read_sorted, roles={"targets": "i"})
