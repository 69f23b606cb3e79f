"""The record of a run: ``run.json``, written whole or not at all, and ``events.jsonl``, a line an event as it happens.

A line is handed to the kernel before the next step begins, so that it survives the death of the process, whatever kills
it; it is forced to the disk several times a second and at the end, for the death of the machine.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from mercury_core.errors import StoreAccessError
from mercury_core.strict_json import strict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Of the layout of ``run.json``.
FORMAT_VERSION = 1

# Forcing the disk after every event would cost more than small steps do.
_SYNC_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is known of a run.

    Attributes:
        run: Its id; ids sort by the time of their start.
        name: The name of the workflow.
        status: ``running``, ``succeeded``, ``failed`` or ``interrupted``.
        directory: Where the record lies.
        started: When, in UTC, as ISO 8601.
        finished: Likewise; None while it runs.
        seconds: How long it took.
        steps: One mapping a step that began: step, verb, provider, status, started, seconds, result.
        models: The names of the models, where there are several.
        metrics: ``{data set: {metric: value}}``, under the model's name first where there are several.
        artifacts: One mapping a thing that was written: step, kind, path or uri, size in bytes, sha256, files.
        config: Mapping of file, written, overrides, resolved; secrets masked.
        environment: Mapping of python, system, machine, packages, plugins, git_commit, seeds.
        warnings: What steps warned of.
        error: Why it ended, where it did not succeed.
    """

    run: str
    name: str
    status: str
    directory: Path
    started: str | None = None
    finished: str | None = None
    seconds: float = 0.0
    steps: tuple[Mapping[str, Any], ...] = ()
    models: tuple[str, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    artifacts: tuple[Mapping[str, Any], ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Mapping[str, Any], ...] = ()
    error: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The content of ``run.json``: values that JSON has, and no others."""
        content = {name: getattr(self, name) for name in self.__slots__}
        plain: dict[str, Any] = strict({"format_version": FORMAT_VERSION, **content, "directory": str(self.directory)})
        return plain


def new_run_id() -> str:
    """An id that no other run has, that sorts by time, and that may be a part of any path or URI."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}-{os.urandom(3).hex()}"


def timestamp() -> str:
    """Now, in UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Journal:
    """Writes the record of one run into its directory.

    Args:
        directory: Made here; there must be none yet.

    Raises:
        StoreAccessError: It cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True)
            self._events = os.open(
                directory / "events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644
            )
        except OSError as error:
            todo = "Choose another place with --runs."
            raise StoreAccessError(
                "make the run directory", str(directory), error.strerror or str(error), todo
            ) from error
        self._directory = directory
        self._synced = time.monotonic()
        self._closed = False

    def event(self, kind: str, **fields: Any) -> None:
        """Note that something happened.

        Raises:
            StoreAccessError: The disk is full, or gone.
        """
        rest = _encoded(strict({"event": kind, "time": timestamp(), **fields})) + b"\n"
        try:
            while rest:
                rest = rest[os.write(self._events, rest) :]
            if time.monotonic() - self._synced > _SYNC_SECONDS:
                os.fsync(self._events)
                self._synced = time.monotonic()
        except OSError as error:
            raise self._refused(error) from error

    def write(self, content: dict[str, Any]) -> None:
        """Write ``run.json``: a reader sees the one before or this one, and never a part.

        Args:
            content: From `RunRecord.to_json`.

        Raises:
            StoreAccessError: The disk is full, or gone.
        """
        from mercury_core.storage.atomic import atomic_file

        try:
            with atomic_file(self._directory / "run.json") as path:
                path.write_bytes(_encoded(content, indent=2) + b"\n")
        except OSError as error:
            raise self._refused(error) from error

    def close(self, kind: str, **fields: Any) -> None:
        """Note the last event, and force all to the disk. Nothing happens where that was done already.

        Raises:
            StoreAccessError: The disk is full, or gone.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self.event(kind, **fields)
            os.fsync(self._events)
        except OSError as error:
            raise self._refused(error) from error
        finally:
            os.close(self._events)

    def _refused(self, error: OSError) -> StoreAccessError:
        if isinstance(error, StoreAccessError):
            return error
        return StoreAccessError(
            "write the record in",
            str(self._directory),
            error.strerror or str(error),
            "Free some space, or choose another place with --runs.",
        )


def _encoded(content: dict[str, Any], indent: int | None = None) -> bytes:
    """Strict JSON; msgspec writes it twenty times as fast as json does, which is most of what a small step costs."""
    try:
        encoded = msgspec.json.encode(content)
    except UnicodeEncodeError:  # a name of a file that is no text; json escapes what it is made of
        return json.dumps(content, allow_nan=False, indent=indent).encode()
    return encoded if indent is None else msgspec.json.format(encoded, indent=indent)
