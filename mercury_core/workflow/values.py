"""The values of a workflow: those of the file, changed by the command line, with what they refer to filled in."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mercury_core.errors import WorkflowFileError, did_you_mean
from mercury_core.workflow.secrets import masked
from mercury_core.workflow.source import find, read_source, read_value, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mercury_core.workflow.source import At, Source

#: The stages, in the order in which they are run.
VERBS = ("read", "transform", "fit", "evaluate", "save", "copy", "serve")

# What `${run.id}` and `${run.dir}` are before there is a run.
NO_RUN = {"id": "<run.id>", "dir": "<run.dir>"}

_WHOLE = re.compile(r"\$\{([\w.]+)\}")
_NAMES = re.compile(r"(?<!\\)\$\{([A-Za-z_][\w.]*)\}")
_ENVIRONMENT = re.compile(r"\$\{oc\.env:([A-Za-z_]\w*)\}")


class Values:
    """What a workflow file says together with its overrides; knows where each value was written, and collects faults.

    Attributes:
        source: The file.
        overrides: What the command line set, by place.
        secrets: Texts that no fault may show.
        data: The values before interpolation.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.overrides: dict[At, Any] = {}
        self.data: dict[Any, Any] = source.data
        self.secrets: frozenset[str] = frozenset()
        self._faults: dict[tuple[tuple[int, int], str], str] = {}
        self._unfilled: set[At] = set()
        for place, message in source.faults:
            self._faults[place, message] = f"{source.file}:{place.line}:{place.column}: {message}"

    # --- where ---

    def where(self, at: At, *, key: bool = False) -> str:
        """The place of a value, or of its key, as text: ``file:line:column``, or the command line."""
        return self._where(at, key=key)[1]

    def _where(self, at: At, *, key: bool) -> tuple[tuple[int, int], str]:
        below = None
        if not self.source.holds(at):
            below = next((one for one in self.overrides if one[: len(at)] == at), None)
        above = self._overridden(at) or below
        if above is not None:
            return (1 << 30, 0), f"command line: {_dotted(above)}"
        place = self.source.place(at, key=key)
        return place, f"{self.source.file}:{place.line}:{place.column}"

    def _overridden(self, at: At) -> At | None:
        """The override that wrote what stands at a place, if one did: the last, where several did."""
        return next((one for one in reversed(self.overrides) if at[: len(one)] == one), None)

    def base(self, at: At) -> Path:
        """What a relative path is relative to: the directory of the file; for an override, the working directory."""
        origin = at
        for _ in range(10):
            whole = _WHOLE.fullmatch(raw) if isinstance(raw := find(self.data, origin), str) else None
            if whole is None:
                break
            origin = _path(whole[1])
        return Path.cwd() if self._overridden(origin) is not None else Path.cwd() / self.source.file.parent

    # --- faults ---

    def fault(self, at: At, message: str, *, key: bool = False) -> None:
        """Note what is wrong with a value, or with its key; one whose reference leads nowhere has its fault already."""
        if any(at[: len(one)] == one for one in self._unfilled):
            return
        order, where = self._where(at, key=key)
        message = masked(message, self.secrets)
        self._faults[order, message] = f"{where}: {message}"

    def raise_faults(self) -> None:
        """Raise all that was found, by place.

        Raises:
            WorkflowFileError: There is something.
        """
        if self._faults:
            raise WorkflowFileError([self._faults[key] for key in sorted(self._faults)])

    # --- overrides ---

    def override(self, text: str) -> None:
        """Apply ``key.path=value`` of the command line."""
        path, equals, written = text.partition("=")
        at = _path(path)
        if not equals or not all(part != "" for part in at):
            self._refuse(path, "This is no override: expected key.path=value, as fit.params.max_iter=200.")
            return
        try:
            value = read_value(written)
        except ValueError as error:
            self._refuse(path, str(error))
            return
        missing = self._unknown(at)
        if missing is not None:
            self._refuse(path, missing)
            return
        self.data = _replaced(self.data, at, value)
        self.overrides.pop(at, None)
        self.overrides[at] = value

    def _refuse(self, path: str, message: str) -> None:
        self._faults[(1 << 30, 1), f"{path}{message}"] = f"command line: {path}: {message}"

    def _unknown(self, at: At) -> str | None:
        """Why an override has nothing to override. New keys are for the check to judge, but where any name would do."""
        value: Any = self.data
        for depth, part in enumerate(at):
            if isinstance(value, list):
                if not isinstance(part, int) or part >= len(value):
                    return f"{_dotted(at[:depth])} is a list: expected a number from 0 to {len(value) - 1}."
                value = value[part]
            elif isinstance(value, dict):
                named = at[:1] == ("vars",) or (at[0] in VERBS and "use" not in value and _all_mappings(value))
                if part not in value and (depth == 1 and named):
                    return (
                        f"The file has no {part!r} in {_dotted(at[:depth])}.{did_you_mean(str(part), map(str, value))}"
                    )
                if part not in value:
                    return None
                value = value[part]
            elif value is not None:
                return f"{_dotted(at[:depth])} is a single value and has no {part!r} in it."
        return None

    # --- interpolation ---

    def resolved(self, run: Mapping[str, str] = NO_RUN) -> dict[Any, Any]:
        """The values with every ``${…}`` filled in; what cannot be is a fault, and stays as it was written.

        Args:
            run: What ``${run.id}`` and ``${run.dir}`` stand for.
        """
        texts = [(at, text) for at, text in leaves(self.data) if "${" in text]
        if not texts:
            return self.data
        # Only here: OmegaConf costs 80 ms to import, more than all else in a check.
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        config = self._config({**self.data, "run": dict(run)}, texts)
        data = self.data
        for at, text in texts:
            if at in self._unfilled:
                continue
            try:
                value: Any = config
                for part in at:
                    value = value[part]
                value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            except (OmegaConfBaseException, RecursionError, ValueError, TypeError, KeyError) as error:
                self.fault(at, self._unresolved(text, run, error))
                self._unfilled.add(at)
                continue
            data = _replaced(data, at, value)
        return data

    def _config(self, data: Any, texts: list[tuple[At, str]]) -> Any:
        """The values as OmegaConf's; texts that it cannot parse are faults, and left out."""
        from omegaconf import OmegaConf
        from omegaconf.errors import GrammarParseError

        try:
            return OmegaConf.create(data)
        except GrammarParseError:
            for at, text in texts:
                try:
                    OmegaConf.create([text])
                except GrammarParseError as error:
                    said = str(error).splitlines()[0].rstrip(".")
                    self.fault(at, f"{text} is no reference as ${{vars.name}} or ${{oc.env:NAME}}: {said}.")
                    self._unfilled.add(at)
                    data = _replaced(data, at, None)
            return OmegaConf.create(data)

    def _unresolved(self, text: str, run: Mapping[str, str], error: Exception) -> str:
        """Why a reference leads nowhere, and what it may have meant."""
        for name in _NAMES.findall(text):
            known = {**self.data, "run": dict(run)}
            if find(known, _path(name), missing=_MISSING) is _MISSING:
                names = [_dotted(at) for at, _ in walk(known) if at]
                return f"${{{name}}} refers to nothing in this file.{did_you_mean(name, names)}"
        for name in _ENVIRONMENT.findall(text):
            if name not in os.environ:
                return (
                    f"${{oc.env:{name}}} needs the environment variable {name}, which is not set: set it, or write "
                    f"${{oc.env:{name},default}}.{did_you_mean(name, os.environ)}"
                )
        if isinstance(error, RecursionError) or "recursive" in str(error).lower():
            return f"{text} refers to itself."
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        return f"{text} cannot be filled in: {said.rstrip('.')}."


_MISSING = object()


def read_values(file: str | Path, overrides: Sequence[str] = ()) -> Values:
    """Read a workflow file and apply overrides.

    Args:
        file: The workflow file.
        overrides: ``key.path=value`` each; values are YAML, positions in lists are numbers from 0 on.

    Raises:
        WorkflowFileError: It cannot be read as YAML at all.
    """
    values = Values(read_source(file))
    for text in overrides:
        values.override(text)
    return values


def leaves(data: Any) -> Iterator[tuple[At, str]]:
    """Every text with its place."""
    return ((at, value) for at, value in walk(data) if isinstance(value, str))


def _replaced(data: Any, at: At, value: Any) -> Any:
    """The same data with another value at one place; what is on the way is copied, since aliases share it."""
    if not at:
        return value
    if isinstance(data, list):
        return [_replaced(one, at[1:], value) if index == at[0] else one for index, one in enumerate(data)]
    inner = data if isinstance(data, dict) else {}
    return {**inner, at[0]: _replaced(inner.get(at[0]), at[1:], value)}


def _path(text: str) -> At:
    return tuple(int(part) if part.isdecimal() else part for part in text.split("."))


def _dotted(at: At) -> str:
    return ".".join(map(str, at))


def _all_mappings(value: Mapping[Any, Any]) -> bool:
    return all(isinstance(one, dict) for one in value.values())
