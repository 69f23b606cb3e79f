"""Delimited text: options, types, faults, and large files that are read by parts."""

from __future__ import annotations

import gzip
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from pyarrow import csv

from mercury_core.builtin import csv_parts
from mercury_core.builtin.readers import read_csv
from mercury_core.data.matrix import as_matrix
from mercury_core.errors import ArgumentsError, MissingColumnsError, ReadError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large, and a part is a few lines."""
    monkeypatch.setattr(csv_parts, "SMALLEST", 0)
    monkeypatch.setattr(csv_parts, "PART", 256)
    monkeypatch.setattr(csv_parts, "BLOCK", 400)


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("a,b\n1,x\n2,\n", {}, {"a": [1, 2], "b": ["x", None]}),
        ("a,b\r\n1,x\r\n", {}, {"a": [1], "b": ["x"]}),
        ("\ufeffa,b\n1,x\n", {}, {"a": [1], "b": ["x"]}),
        ("a;b\n1,5;x\n", {"delimiter": ";", "decimal_point": ","}, {"a": [1.5], "b": ["x"]}),
        ("a,b\n1,'x,y'\n", {"quote_char": "'"}, {"a": [1], "b": ["x,y"]}),
        ('a,b\n1,"x\n', {"quote_char": None}, {"a": [1], "b": ['"x']}),
        ('a,b\n1,"x""y"\n', {}, {"a": [1], "b": ['x"y']}),
        ("a,b\n1,x\\,y\n", {"escape_char": "\\"}, {"a": [1], "b": ["x,y"]}),
        ('a,b\n1,"x\ny"\n', {"newlines_in_values": True}, {"a": [1], "b": ["x\ny"]}),
        ("#\na,b\n1,2\n", {"skip_rows": 1}, {"a": [1], "b": [2]}),
        ("a,b\n-,-\n1,2\n", {"skip_rows_after_names": 1}, {"a": [1], "b": [2]}),
        ("1,2\n", {"column_names": ["x", "y"]}, {"x": [1], "y": [2]}),
        ("1,2\n", {"autogenerate_column_names": True}, {"f0": [1], "f1": [2]}),
        ("a,b\n?,NA\n", {"null_values": ["?"]}, {"a": [None], "b": ["NA"]}),
        ("a\nNA\nx\n", {"strings_can_be_null": False}, {"a": ["NA", "x"]}),
        ('a\n"NA"\nx\n', {"quoted_strings_can_be_null": False}, {"a": ["NA", "x"]}),
        ("a\nja\nnein\n", {"true_values": ["ja"], "false_values": ["nein"]}, {"a": [True, False]}),
        ("a,b\n01,1\n", {"column_types": {"a": "string", "b": "float64"}}, {"a": ["01"], "b": [1.0]}),
        ("a,b\n1,2\n3,4,5\n", {"invalid_rows": "skip"}, {"a": [1], "b": [2]}),
        ("a\n1\n\n2\n", {"ignore_empty_lines": False}, {"a": [1, None, 2]}),
    ],
)
def test_options(tmp_path: Path, text: str, options: dict[str, Any], expected: dict[str, list[Any]]) -> None:
    assert read_csv(written(tmp_path / "t.csv", text), **options).to_pydict() == expected


def test_types(tmp_path: Path) -> None:
    text = (
        "i,f,b,d,t,s,n,m\n1,1,true,2024-01-31,2024-01-31 10:00:00,x,,\n2,2.5,false,2024-02-01,2024-02-01 11:30:00,y,,\n"
    )
    path = written(tmp_path / "t.csv", text)
    schema = pa.schema(
        {
            "i": pa.int64(),
            "f": pa.float64(),
            "b": pa.bool_(),
            "d": pa.date32(),
            "t": pa.timestamp("s"),
            "s": pa.string(),
            "n": pa.null(),
            "m": pa.null(),
        }
    )
    assert read_csv(path).schema == schema
    assert read_csv.schema(path) == schema
    assert pa.types.is_dictionary(read_csv(path, column_types={"s": "category"}).schema.field("s").type)
    days = read_csv(written(tmp_path / "d.csv", "d\n31.01.2024\n"), timestamp_parsers=["%d.%m.%Y"])
    assert days.schema.field("d").type == pa.timestamp("s")


def test_encodings_packing_and_tabs(tmp_path: Path) -> None:
    expected = {"é": ["ü"]}
    for encoding in ("latin-1", "utf-16", "utf_8"):
        path = written(tmp_path / "t.csv", "é\nü\n".encode(encoding))
        assert read_csv(path, encoding=encoding).to_pydict() == expected
    assert read_csv(written(tmp_path / "t.csv.gz", gzip.compress("é\nü\n".encode()))).to_pydict() == expected
    assert read_csv(written(tmp_path / "t.tsv", "a\tb\n1\t2\n")).to_pydict() == {"a": [1], "b": [2]}


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("\n\n", {}, "it has no line with text in it. Check what wrote it"),
        ("a,b\n", {}, r"it has a header \(a, b\) and no row below it. Check what wrote it"),
        ("a,b\n1,2\n\n3\n", {}, "line 4 has 1 field where the header has 2. Mend the line, or .* invalid_rows='skip'"),
        ("a,b\n1,2\n3,4,5\n", {}, "line 3 has 3 fields where the header has 2. Mend the line"),
        ("#\na,b\n1,2\n3,4,5\n", {"skip_rows": 1}, "line 4 has 3 fields where the header has 2"),
        ("1,2\n3\n", {"column_names": ["x", "y"]}, "line 2 has 1 field where 2 were named"),
        ("a;b\n1,5;2\n", {}, r"line 2 has 2 fields where the header has 1. Did you mean delimiter=';'\?"),
        ("a,b\n1;2\n", {}, r"line 2 has 1 field where the header has 2. Did you mean delimiter=';'\?"),
        ("a;b\n1;2\n", {"columns": ["a"]}, r"its header is one column, 'a;b'. Did you mean delimiter=';'\?"),
        ("a\tb\n1\t2\n", {"columns": ["a"]}, r"its header is one column, 'a\\tb'. Did you mean delimiter='\\t'\?"),
        ("a,b,a\n1,2,3\n", {}, "it has more than one column named 'a'. Rename one"),
        ("a\n1\n", {"skip_rows": 5}, "it has fewer lines than skip_rows=5"),
        (
            "a,b,c\n1,2,3\n\n1,x,3\n",
            {"column_types": {"b": "float64"}, "columns": ["c", "b"]},
            "the column 'b' in line 4 holds 'x', which is no double. Mend the value, add it to null_values",
        ),
        ("a,b\n1,2\n".encode("utf-16"), {}, "it is UTF-16 text. Give encoding='utf-16'"),
        (b"a,b\n1,\xe9\n", {}, "the column 'b' holds bytes that are not UTF-8. Give encoding='latin-1', say"),
        (b"a,b\n1,\xe9\n", {"column_types": {"b": "string"}}, "the column 'b' in line 2 is not UTF-8"),
        (b"a,\xe9\n1,2\n", {}, "it is not utf-8 text. Give encoding='latin-1'"),
        (b"a,b\n1,\xe9\n", {"encoding": "ascii"}, "it is not ascii text"),
        (b"a,b\n1,2\n\x00,3\n", {}, "line 3 holds a null byte, which text never does"),
        ("a\n" + "1" * (3 << 20) + "\n", {}, "a row is longer than 1 MiB"),
    ],
)
def test_faults(tmp_path: Path, text: str | bytes, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ReadError, match=r"^Cannot read .*t\.csv: " + says):
        read_csv(written(tmp_path / "t.csv", text), **options)


def test_faults_of_packed_files(tmp_path: Path) -> None:
    for data in (b"a,b\n1,2\n", gzip.compress(b"a,b\n1,2\n" * 1000)[:-20]):
        with pytest.raises(ReadError, match="it cannot be unpacked"):
            read_csv(written(tmp_path / "t.csv.gz", data))


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "length,width\n1,2\n")
    with pytest.raises(MissingColumnsError, match=r"lacks the column 'lenght'.*Did you mean 'length'\?"):
        read_csv(path, columns=["lenght"])
    with pytest.raises(MissingColumnsError, match="lacks the column 'z'"):
        read_csv(path, column_types={"z": "int64"})


def test_parameters_that_are_wrong_are_named_all_at_once(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "a\n1\n")
    params: dict[str, Any] = {
        "delimiter": ";;",
        "encoding": "foo",
        "column_types": {"a": "flt"},
        "column_names": ["x"],
        "autogenerate_column_names": True,
    }
    with pytest.raises(ArgumentsError) as caught:
        read_csv(path, **params)
    said = str(caught.value)
    for part in ("delimiter: expected one ASCII character, found ';;'", "no encoding 'foo'", "'flt', which is no type"):
        assert part in said
    assert "Give column_names or autogenerate_column_names, not both" in said
    paths = {fault.path for fault in read_csv.check_params(params)}
    assert paths == {("delimiter",), ("encoding",), ("column_types",), ("autogenerate_column_names",)}


# --- by parts ---

CELLS = st.one_of(
    st.sampled_from(["", "NA", "nan", "x", "true", "2024-01-31"]),
    st.integers(-5, 5).map(str),
    st.floats(-10, 10).map(repr),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELLS, st.floats(-10, 10).map(repr), st.integers(-9, 9).map(str)), min_size=1, max_size=40))
def test_parts_give_what_full_inference_gives(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    text = "a,b,c\n" + "".join(",".join(row) + "\n" for row in rows)
    path = written(tmp_path_factory.mktemp("parts") / "t.csv", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_parts, "SMALLEST", 0)
        patch.setattr(csv_parts, "PART", 64)
        patch.setattr(csv_parts, "BLOCK", 128)
        # The first block shows a few rows only, so that later ones can surprise.
        patch.setattr("mercury_core.builtin.csv_file._BLOCK", 128)
        table = read_csv(path)
    table.validate(full=True)
    nulls = csv.ConvertOptions(strings_can_be_null=True)
    expected = csv.read_csv(path, csv.ReadOptions(block_size=1 << 20), convert_options=nulls)
    assert table.schema == expected.schema
    assert repr(table.to_pydict()) == repr(expected.to_pydict())


@pytest.mark.usefixtures("small_parts")
def test_floats_read_by_parts_are_a_matrix_already(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(200, 3))
    lines = [
        f"{a!r},t{row},{b!r},{row},{'' if row % 7 == 0 else repr(c)}" for row, (a, b, c) in enumerate(values.tolist())
    ]
    table = read_csv(written(tmp_path / "t.csv", "a,s,b,i,c\n" + "\n".join(lines)), columns=["a", "b", "c", "i", "s"])
    table.validate(full=True)
    matrix = as_matrix(table.select(["a", "b", "c"]))
    assert matrix.__array_interface__["data"][0] == table.column("a").chunk(0).buffers()[1].address
    values[::7, 2] = np.nan
    np.testing.assert_array_equal(matrix, values)
    assert table.column("c").null_count == 29
    assert table.column("i").to_pylist() == list(range(200))
    assert table.column("s").to_pylist() == [f"t{row}" for row in range(200)]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    ("last", "says"),
    [("1,2,3", "line 102 has 3 fields where the header has 2"), ("1,z", "the column 'b' in line 102 holds 'z'")],
)
def test_faults_in_a_late_part_name_the_line(tmp_path: Path, last: str, says: str) -> None:
    path = written(tmp_path / "t.csv", "a,b\n" + "1,2\n" * 100 + last + "\n")
    with pytest.raises(ReadError, match=says):
        read_csv(path, column_types={"b": "float64"})


QUOTES = [
    ('1,"x', 2),
    ('1,"x""', 2),
    ('1,"x"",', 2),
    ('1,"x,y\n2,z', 2),
    ('1,"x\ny"\n2,"z', 4),
    ('1,5" x\n2,5" y\n3,"z', 4),
]


@pytest.mark.parametrize(("rows", "line"), QUOTES)
@pytest.mark.parametrize("parts", [False, True])
def test_a_quote_that_is_never_closed_swallows_no_rows(
    tmp_path: Path, request: pytest.FixtureRequest, rows: str, line: int, parts: bool
) -> None:
    if parts:
        request.getfixturevalue("small_parts")
    more = "".join(f"{n},w\n" for n in range(100))
    path = written(tmp_path / "a.csv", f"a,b\n{rows}\n{more}")
    with pytest.raises(ReadError, match=rf"the quote that opens in line {line} is never closed\. Close it, or give"):
        read_csv(path)
    path = written(tmp_path / "b.csv.gz", gzip.compress(path.read_bytes()))
    with pytest.raises(ReadError, match=rf"the quote that opens in line {line} is never closed"):
        read_csv(path)


def test_values_over_several_lines_in_a_file_of_many_blocks_are_to_be_announced(tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f'{n},"w\n{n}"\n' for n in range(150_000))
    path = written(tmp_path / "a.csv", text)
    with pytest.raises(ReadError, match=r"a quoted value goes over several lines\. Give newlines_in_values=True\."):
        read_csv(path)
    assert read_csv(path, newlines_in_values=True).num_rows == 150_000


@pytest.mark.parametrize(
    ("rows", "options", "expected"),
    [
        ('1,5" x\n2,y\n', {}, ['5" x', "y"]),
        ('1,"x\ny"\n2,5" z\n', {}, ["x\ny", '5" z']),
        ('1,"x""y"\n2,a"\n', {}, ['x"y', 'a"']),
        ('1,"x\\"y"\n2,z\n', {"escape_char": "\\"}, ['x"y', "z"]),
        ('1,"x\n2,y\n', {"quote_char": None}, ['"x', "y"]),
        ("1,'x\n2,y\n", {}, ["'x", "y"]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_an_odd_number_of_quotes_may_be_right(
    tmp_path: Path, small_parts: None, rows: str, options: dict[str, Any], expected: list[str], encoding: str
) -> None:
    path = written(tmp_path / "a.csv", f"a,b\n{rows}".encode(encoding))
    assert read_csv(path, encoding=encoding, **options).column("b").to_pylist() == expected


@pytest.mark.usefixtures("small_parts")
def test_lines_longer_than_a_part_and_rows_that_outnumber_the_guess(tmp_path: Path) -> None:
    text = "s,x\n" + "y" * 300 + ",1.5\n" + "z,2.5\n" * 2000 + "y" * 300 + ",3.5"
    table = read_csv(written(tmp_path / "t.csv", text), columns=["x"])
    assert table.column("x").to_pylist() == [1.5, *[2.5] * 2000, 3.5]


def test_a_plain_file_needs_neither_pandas_nor_data_sets(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "a,b\n1,true\n,false\n")
    code = (
        "import sys\nfrom mercury_core.builtin.readers import read_csv\n"
        "from mercury_core.data.matrix import as_matrix\n"
        f"print(as_matrix(read_csv({str(path)!r})).tolist())\n"
        "print([name for name in ('pandas', 'pyarrow.dataset', 'pyarrow.parquet') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[[1.0, 1.0], [nan, 0.0]]\n[]\n"
