"""A workflow file as YAML with positions: what it holds, and where each value stands.

Scalars follow YAML 1.2: only ``true`` and ``false`` are booleans (``no`` is Norway, ``on`` is a word), ``1e-3`` is a
number, ``012`` is twelve, ``12:30`` and ``2024-01-31`` are text. Anchors, aliases and merge keys work.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mercury_core.errors import WorkflowFileError
from mercury_core.workflow.syntax import Place, syntax_fault, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    #: Where a value is in the file: keys and list positions from the top inwards.
    At = tuple[Any, ...]

# A document of aliases of aliases can stand for more values than any memory holds.
MOST_VALUES = 100_000
# What is nested deeper than any workflow would exhaust the stack of what looks at it.
DEEPEST = 100

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The loader whose plain scalars are those of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


for _kind, _pattern, _first in (
    ("bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    ("int", re.compile(rf"(?:{_INT.pattern})$"), "-+0123456789"),
    ("float", re.compile(rf"(?:{_FLOAT.pattern})$"), "-+.0123456789"),
    ("null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("merge", re.compile(r"<<$"), "<"),
):
    _Loader.add_implicit_resolver(_TAG + _kind, _pattern, list(_first))


class Source:
    """What a workflow file holds.

    Attributes:
        file: The file, as it was named.
        data: Its values.
        faults: What is wrong with it as YAML, by place.
    """

    def __init__(self, file: Path, root: yaml.Node) -> None:
        self.file = file
        self.faults: list[tuple[Place, str]] = []
        self._root = root
        self._entries: dict[int, dict[Any, tuple[yaml.Node, yaml.Node]]] = {}
        self._values: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()
        value, _ = self._value(root)
        self.data: dict[Any, Any] = value if isinstance(value, dict) else {}

    def place(self, at: At, *, key: bool = False) -> Place:
        """Where something stands: the value, or its key; of what is not there, what it would stand in."""
        node, shown = self._root, self._root
        for step in at:
            if isinstance(node, yaml.MappingNode) and step in self._entries[id(node)]:
                shown, node = self._entries[id(node)][step]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
                shown = node = node.value[step]
            else:
                return _place(shown)
        return _place(shown if key else node)

    def holds(self, at: At) -> bool:
        """Whether the file itself has something there."""
        return find(self.data, at, missing=self) is not self

    def _fault(self, node: yaml.Node, message: str) -> None:
        self.faults.append((_place(node), message))

    def _value(self, node: yaml.Node) -> tuple[Any, int]:
        """The value of a node, and how many values that is when every alias is written out."""
        if id(node) in self._values:
            return self._values[id(node)]
        if id(node) in self._open:
            self._fault(node, "An alias stands inside of what it names: expected a value that ends.")
            return None, 1
        if len(self._open) > DEEPEST and not isinstance(node, yaml.ScalarNode):
            self._fault(node, f"The value here lies more than {DEEPEST} deep in others: expected a workflow.")
            return None, 1
        self._open.add(id(node))
        made: tuple[Any, int]
        if isinstance(node, yaml.MappingNode):
            made = self._mapping(node)
        elif isinstance(node, yaml.SequenceNode):
            items = [self._value(item) for item in node.value]
            made = [value for value, _ in items], 1 + sum(size for _, size in items)
        else:
            made = self._scalar(node), 1
        self._open.discard(id(node))
        if node.tag not in _TAGS[type(node)]:
            self._fault(
                node, f"The tag {node.tag.replace(_TAG, '!!')} is not known here: expected plain YAML, without a tag."
            )
        if made[1] > MOST_VALUES:
            self._fault(node, f"The aliases here stand for more than {MOST_VALUES:,} values: write fewer.")
            made = None, 1
        self._values[id(node)] = made
        return made

    def _mapping(self, node: yaml.MappingNode) -> tuple[dict[Any, Any], int]:
        entries: dict[Any, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[Any, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                merged = {**self._merged(value_node), **merged}
                continue
            key = self._key(key_node)
            if key is None:
                self._value(value_node)
                continue
            if key in entries:
                first = _place(entries[key][0])
                self._fault(
                    key_node,
                    f"The key {key!r} stands here a second time, first in line {first.line}: keep one of them.",
                )
                self._value(value_node)
                continue
            entries[key] = key_node, value_node
        entries = {**merged, **entries}
        self._entries[id(node)] = entries
        values = {key: self._value(value_node) for key, (_, value_node) in entries.items()}
        return {key: value for key, (value, _) in values.items()}, 1 + sum(size for _, size in values.values())

    def _merged(self, node: yaml.Node) -> dict[Any, tuple[yaml.Node, yaml.Node]]:
        """What ``<<`` brings: the entries of a mapping, or of several, the first of which wins."""
        found: dict[Any, tuple[yaml.Node, yaml.Node]] = {}
        for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(one, yaml.MappingNode):
                self._value(one)
                found = {**self._entries.get(id(one), {}), **found}
            else:
                self._fault(one, "The merge key << takes a mapping or a list of mappings, usually an alias like *base.")
        return found

    def _key(self, node: yaml.Node) -> Any:
        """A key; None, and a fault, where it is none."""
        value = self._value(node)[0] if isinstance(node, yaml.ScalarNode) else None
        if value is None:
            self._fault(node, "A key is a word or a number: expected no list, no mapping and no null here.")
        return value

    def _scalar(self, node: yaml.Node) -> Any:
        kind, text = node.tag.removeprefix(_TAG), node.value
        try:
            if kind == "int" and _INT.fullmatch(text):
                return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
            if kind == "float" and _FLOAT.fullmatch(text):
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            self._fault(node, "This number has too many digits.")
            return 0
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind in ("int", "float", "bool"):
            self._fault(node, f"{text!r} is not what its tag !!{kind} says.")
        return text


_TAGS: dict[type[yaml.Node], set[str]] = {
    yaml.MappingNode: {_TAG + "map"},
    yaml.SequenceNode: {_TAG + "seq"},
    yaml.ScalarNode: {_TAG + kind for kind in ("str", "int", "float", "bool", "null", "merge")},
}


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def read_source(file: str | Path) -> Source:
    """Read a workflow file.

    Args:
        file: Its path.

    Returns:
        What it holds; faults that leave the rest readable are in its `faults`.

    Raises:
        WorkflowFileError: There is no such file, or it is not YAML, or not a mapping.
    """
    file = Path(file)
    text = text_of(file)
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        place, message = syntax_fault(error, text)
        raise WorkflowFileError([f"{file}:{place.line}:{place.column}: {message}"]) from None
    except RecursionError:
        raise WorkflowFileError([f"{file}:1:1: The brackets here are nested too deep: expected a workflow."]) from None
    if root is None:
        raise WorkflowFileError([f"{file}:1:1: The file is empty: expected a workflow, which begins with `read:`."])
    if not isinstance(root, yaml.MappingNode):
        kind = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
        place = _place(root)
        raise WorkflowFileError(
            [f"{file}:{place.line}:{place.column}: The file holds {kind}: expected a mapping from stage to steps."]
        )
    return Source(file, root)


def read_value(text: str) -> Any:
    """The value of one YAML text, as it is given on the command line.

    Raises:
        ValueError: It is not YAML; the message says why.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ValueError(syntax_fault(error, text)[1]) from None
    if root is None:
        return None
    holder = yaml.MappingNode(_TAG + "map", [(yaml.ScalarNode(_TAG + "str", "value"), root)])
    holder.start_mark = root.start_mark
    source = Source(Path(), holder)
    if source.faults:
        raise ValueError(source.faults[0][1])
    return source.data["value"]


def find(data: Any, at: At, missing: Any = None) -> Any:
    """What stands at a place, or `missing`."""
    for part in at:
        there = part in data if isinstance(data, dict) else isinstance(data, list) and part in range(len(data))
        if not there:
            return missing
        data = data[part]
    return data


def walk(data: Any, at: At = ()) -> Iterator[tuple[At, Any]]:
    """Every value with its place, outer ones first."""
    yield at, data
    if isinstance(data, dict):
        for key, value in data.items():
            yield from walk(value, (*at, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from walk(value, (*at, index))
