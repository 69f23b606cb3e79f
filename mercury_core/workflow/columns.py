"""Which data sets and columns there are at each point of a workflow, as far as it can be known before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercury_core.calling import takes
from mercury_core.contracts import ColumnsNamer, SchemaReader
from mercury_core.errors import MercuryError, MissingColumnsError, did_you_mean
from mercury_core.reading import at_hand, is_served
from mercury_core.storage.uri import is_remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mercury_core.storage import Stores
    from mercury_core.workflow.config import Step
    from mercury_core.workflow.source import At
    from mercury_core.workflow.values import Values

# The parameters of the built-in split that name a column.
_SPLIT_COLUMNS = ("stratify", "group", "time")


class Columns:
    """What is known of the bunch: data set to columns, None for unknown ones; None where the sets are unknown."""

    def __init__(self, values: Values, stores: Stores | None = None) -> None:
        """Know of nothing yet; `stores` are None where none may be asked."""
        self.values = values
        self.stores = stores
        self.sets: dict[str, tuple[str, ...] | None] | None = {}

    def unknown(self, name: str) -> None:
        """A data set whose columns are not known."""
        if self.sets is not None:
            self.sets[name] = None

    def forget(self) -> None:
        """Nothing is known any more."""
        self.sets = None

    def forget_columns(self) -> None:
        """The data sets are the same, their columns may be others."""
        self.sets = dict.fromkeys(self.sets) if self.sets is not None else None

    def read(self, name: str, step: Step, reader: Any) -> bool:
        """Hold the roles of a step against the columns of its source; whether they are known, and right."""
        from mercury_core.data.roles import columns_of, normalise

        self.unknown(name)
        try:
            named = columns_of(normalise(step.roles or {}))
        except MercuryError as error:
            self.values.fault((*step.at, "roles"), str(error))
            return False
        if not isinstance(reader, SchemaReader) or not self._can_be_asked(reader, step.source):
            return False
        try:
            with at_hand(reader.schema, step.source, self.stores) as (source, store):
                found = tuple(reader.schema(source, **store, **step.params).names)
        except MercuryError as error:
            self.values.fault((*step.at, "source"), str(error))
            return False
        except Exception as error:  # noqa: BLE001 -- a reader of anybody's: whatever it raises, the file has a fault here
            said = f"{type(error).__name__}: {error}"
            self.values.fault(
                (*step.at, "source"), f"The reader {step.use!r} cannot tell the columns of {step.source}: {said}"
            )
            return False
        names = set(found)
        missing = [(at, column) for at, column in _named(step.roles or {}) if column not in names]
        if missing and (why := self._why_none(reader, step, [column for _, column in missing])):
            self.values.fault((*step.at, "source"), why)
            return False
        for at, column in missing:
            self._missing((*step.at, "roles", *at), f"{step.source} has no column", column, found)
        if self.sets is not None:
            self.sets[name] = tuple(column for column in found if named is None or column in named)
        return not missing

    def _can_be_asked(self, reader: SchemaReader, source: str) -> bool:
        """Whether the columns of a source can be known without reading it whole."""
        if not is_remote(source):
            return True
        return self.stores is not None and (takes(reader.schema, "store") or not is_served(source))

    def _why_none(self, reader: SchemaReader, step: Step, columns: list[str]) -> str:
        """What a reader knows of why its source lacks columns, as another delimiter; empty where it knows no more."""
        if takes(reader.schema, "columns"):
            try:
                with at_hand(reader.schema, step.source, self.stores) as (source, store):
                    reader.schema(source, columns=columns, **store, **step.params)
            except MissingColumnsError:
                return ""  # each is named, with its place in the file
            except MercuryError as error:
                return str(error)
        return ""

    def need(self, name: str, at: At) -> None:
        """A data set is needed here."""
        if self.sets is not None and name not in self.sets:
            hint = did_you_mean(name, self.sets) or (f" There are: {', '.join(self.sets)}." if self.sets else "")
            self.values.fault(at, f"There is no data set {name!r} here.{hint}")

    def need_train(self, step: Step, why: str) -> None:
        """The data set to fit on is needed here."""
        if self.sets is not None and "train" not in self.sets:
            names = f"there are: {', '.join(self.sets)}" if self.sets else "there is none"
            self.values.fault(
                step.at,
                f"There is no data set 'train' here, and {why}; {names}. Split one, or name a source 'train'.",
                key=True,
            )
            self.sets["train"] = None  # one fault is enough

    def rearrange(self, step: Step, provider: Any) -> None:
        """A function on the bunch takes some data sets and puts others in their place."""
        if self.sets is None:
            return
        before = self.sets
        chosen = list(before) if step.inputs is None else list(step.inputs)
        for index, name in enumerate(step.inputs or ()):
            listed = isinstance(self._written(step, "from"), list)
            self.need(name, (*step.at, "from", index) if listed else (*step.at, "from"))
        known = [columns for name in chosen if (columns := before.get(name)) is not None]
        if len(known) == len(chosen) and known and _is_split(provider):
            self._split_columns(step, tuple(dict.fromkeys(column for columns in known for column in columns)))
        into = step.params.get("into")
        if not isinstance(into, dict):
            self.sets = None
            return
        kept = {name: columns for name, columns in before.items() if name not in chosen}
        for name in into:
            if name in kept:
                self.values.fault(
                    (*step.at, "into", name), f"There is a data set {name!r} already: choose another name.", key=True
                )
        columns = known[0] if len(known) == len(chosen) == 1 else None
        self.sets = {**kept, **{str(name): columns for name in into}}

    def name(self, step: Step, provider: Any) -> None:
        """Hold the columns that the parameters of a transformer name against those that it is fitted on."""
        columns = (self.sets or {}).get("train")
        if columns is None or not isinstance(provider, ColumnsNamer):
            return
        for at, column in provider.columns_in(step.params):
            if column not in columns:
                what = f"{step.use!r} is fitted on data that has no column"
                self._missing((*step.at, *at), what, column, columns, key=at[-1] == column)

    def _split_columns(self, step: Step, columns: tuple[str, ...]) -> None:
        for key in _SPLIT_COLUMNS:
            given = step.params.get(key)
            for index, column in enumerate(given if isinstance(given, list) else [given]):
                if isinstance(column, str) and column not in columns:
                    at = (*step.at, key, index) if isinstance(given, list) else (*step.at, key)
                    self._missing(at, "What is split has no column", column, columns)

    def _missing(self, at: At, what: str, column: str, columns: Iterable[str], *, key: bool = False) -> None:
        names = list(columns)
        hint = did_you_mean(column, names) or f" It has: {', '.join(names[:20])}{' …' * (len(names) > 20)}."
        self.values.fault(at, f"{what} {column!r}.{hint}", key=key)

    def _written(self, step: Step, key: str) -> Any:
        from mercury_core.workflow.source import find

        return find(self.values.data, (*step.at, key))


def _is_split(provider: Any) -> bool:
    return getattr(provider, "__module__", "") == "mercury_core.builtin.split"


def _named(roles: Mapping[str, Any]) -> Iterable[tuple[At, str]]:
    """Every column that roles name, with its place in them."""
    for role, columns in roles.items():
        if isinstance(columns, str) and columns != "*":
            yield (role,), columns
        elif isinstance(columns, list):
            for index, column in enumerate(columns):
                if isinstance(column, str):
                    yield (role, index), column
