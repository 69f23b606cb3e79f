from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from mercury_core.errors import WorkflowFileError
from mercury_core.workflow.source import Place, read_source, read_value

if TYPE_CHECKING:
    from pathlib import Path

    from mercury_core.workflow.source import Source


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "w.yaml"


def source(file: Path, text: str) -> Source:
    file.write_text(text, encoding="utf-8")
    return read_source(file.name)


def refusal(file: Path, text: str | bytes) -> str:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(WorkflowFileError) as caught:
        read_source(file.name)
    assert caught.value.exit_code == 2
    assert len(caught.value.faults) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("1e-3", 0.001),
        ("012", 12),
        ("0x1f", 31),
        ("0o17", 15),
        ("-.inf", -math.inf),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-31", "2024-01-31"),
        ("~", None),
        ("", None),
        ("'7'", "7"),
        ("!!str 7", "7"),
        ("!!float 7", 7.0),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
    ],
)
def test_scalars_are_those_of_yaml_1_2(file: Path, text: str, value: Any) -> None:
    assert source(file, f"x: {text}\n").data == {"x": value}
    assert type(read_value(text)) is type(value)
    assert read_value(text) == value


def test_anchors_and_merge_keys(file: Path) -> None:
    found = source(file, "base: &b {a: 1, b: 2}\nmore: &m {b: 3, c: 4}\nx: {<<: [*b, *m], a: 5}\ny: *b\n")
    assert found.faults == []
    assert found.data["x"] == {"a": 5, "b": 2, "c": 4}
    assert found.data["y"] == {"a": 1, "b": 2}
    assert found.place(("x", "a")) == Place(3, 22)
    assert found.place(("x", "c"), key=True) == Place(2, 17)  # where it was written


def test_a_quoted_merge_mark_is_a_key(file: Path) -> None:
    assert source(file, '"<<": 1\n').data == {"<<": 1}


def test_places_are_of_the_key_the_value_or_what_is_around_it(file: Path) -> None:
    found = source(file, "fit:\n  use: sklearn.fit\n  params:\n    - alpha\n    - {é: 1, b: 2}\n")
    assert found.place(("fit", "use")) == Place(2, 8)
    assert found.place(("fit", "use"), key=True) == Place(2, 3)
    assert found.place(("fit", "params", 1, "b")) == Place(5, 17)
    assert found.place(("fit", "params", 1, "nowhere", "deeper")) == Place(5, 7)
    assert found.place(("fit", "nowhere")) == Place(1, 1)


def test_every_duplicate_key_is_a_fault_and_the_first_one_counts(file: Path) -> None:
    found = source(file, "a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert found.data == {"a": 1, "b": {"c": 1}}
    assert sorted(found.faults) == [
        (Place(2, 11), "The key 'c' stands here a second time, first in line 2: keep one of them."),
        (Place(3, 1), "The key 'a' stands here a second time, first in line 1: keep one of them."),
    ]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: !x 1", (1, 4), "The tag !x is not known here: expected plain YAML, without a tag."),
        ("a: !!int x", (1, 4), "'x' is not what its tag !!int says."),
        (
            "a: !!timestamp 2024-01-31",
            (1, 4),
            "The tag !!timestamp is not known here: expected plain YAML, without a tag.",
        ),
        ("a: &x [*x]", (1, 4), "An alias stands inside of what it names: expected a value that ends."),
        ("? [1]\n: 2", (1, 3), "A key is a word or a number: expected no list, no mapping and no null here."),
        ("a: {<<: 3}", (1, 9), "The merge key << takes a mapping or a list of mappings, usually an alias like *base."),
        ("a: " + "9" * 5000, (1, 4), "This number has too many digits."),
    ],
)
def test_yaml_that_is_no_plain_data_is_a_fault(file: Path, text: str, place: tuple[int, int], message: str) -> None:
    assert source(file, text + "\n").faults == [(place, message)]


def test_aliases_cannot_fill_the_memory(file: Path) -> None:
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]" for i in range(8)]
    faults = source(file, "\n".join(lines)).faults
    assert [message for _, message in faults] == [
        "The aliases here stand for more than 100,000 values: write fewer."
    ] * len(faults)
    assert faults[0][0].line == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "w.yaml:1:1: The file is empty: expected a workflow, which begins with `read:`."),
        ("# nothing\n", "w.yaml:1:1: The file is empty: expected a workflow, which begins with `read:`."),
        ("- a\n", "w.yaml:1:1: The file holds a list: expected a mapping from stage to steps."),
        ("\n  text\n", "w.yaml:2:3: The file holds a single value: expected a mapping from stage to steps."),
        ("a:\n\tb: 1\n", "w.yaml:2:1: A tab indents this line: YAML is indented with spaces."),
        ("a: b: c\n", "w.yaml:1:5: This is not YAML: mapping values are not allowed in this context."),
        (
            "a: 1\n---\nb: 1\n",
            "w.yaml:2:1: This is not YAML: expected a single document in the stream but found another document.",
        ),
        ("a: *b\n", "w.yaml:1:4: This is not YAML: found undefined alias."),
        (b"a: 1\nb: \xff\n", "w.yaml:2:4: The byte 0xff here is not UTF-8: save the file as UTF-8."),
        ("a: 1\nb: \x01\n", "w.yaml:2:4: A character here cannot stand in YAML: remove it."),
    ],
)
def test_what_cannot_be_read_is_one_sentence_with_its_place(file: Path, text: str | bytes, message: str) -> None:
    assert refusal(file, text) == message


def test_an_unquoted_reference_in_braces_is_explained(file: Path) -> None:
    said = refusal(file, "read: {}\nfit: {seed: ${vars.seed}}\n")
    assert said.startswith("w.yaml:2:14: This is not YAML (")
    assert said.endswith('): inside of braces or brackets, write "${…}" in quotes.')


def test_a_byte_order_mark_is_no_part_of_the_first_key(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read_source(file).data == {"name": "x"}


def test_a_file_that_is_not_there_names_its_neighbour(file: Path) -> None:
    file.write_text("name: x")
    with pytest.raises(WorkflowFileError, match=r"^v\.yaml: There is no such file\. Did you mean 'w\.yaml'\?$"):
        read_source("v.yaml")


def test_a_directory_is_no_workflow_file(file: Path) -> None:
    with pytest.raises(WorkflowFileError, match="This is a directory: expected a workflow file"):
        read_source(file.parent)


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(_plain)
def test_whatever_is_dumped_as_json_is_read_as_it_was(value: Any) -> None:
    assert read_value(yaml.dump(value, default_style='"' if isinstance(value, str) else None, Dumper=_Dumper)) == value


class _Dumper(yaml.SafeDumper):
    """Quotes every text, as whoever is in doubt does."""


_Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
_Dumper.add_representer(
    float,
    lambda dumper, number: dumper.represent_scalar("tag:yaml.org,2002:float", repr(number).replace("inf", ".inf")),
)
