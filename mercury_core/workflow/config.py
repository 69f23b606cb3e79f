"""The shape of a workflow file: seven stages in their order, each one step, a list of steps, or steps by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mercury_core.endings import reader_for
from mercury_core.errors import did_you_mean
from mercury_core.storage.uri import scheme_of
from mercury_core.workflow.values import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mercury_core.workflow.source import At
    from mercury_core.workflow.values import Values

#: What may stand at the top of a file.
TOP = ("name", "vars", "stores", *VERBS[:3], "load", *VERBS[3:])
OVERWRITE = ("error", "skip", "replace")

# The keys of a step that are the workflow's own, by verb; all others are parameters of its provider, where it has any.
_OWN = {
    "read": ("use", "source", "roles"),
    "transform": ("use", "from"),
    "fit": ("use",),
    "load": ("uri", "trusted", "trust"),
    "evaluate": ("model", "data", "metrics"),
    "save": ("use", "model", "path", "overwrite", "license", "description"),
    "copy": ("model", "from", "to", "overwrite"),
    "serve": ("use", "model", "trusted", "trust"),
}
# What the least step of a verb is like, where that is not its provider.
_SHAPES = {"read": "source: PATH, …", "load": "uri: URI", "evaluate": "metrics: [KEY, …]", "copy": "to: URI"}
# Steps of these have no provider that parameters could be for.
_CLOSED = ("load", "evaluate", "copy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a workflow.

    Attributes:
        name: Its place in the file, ``transform.0``: unique, and what an override would write.
        own: Its name among the steps of its stage: a name, a number from 0 on, or nothing where it is alone.
        verb: Its verb; load is one here.
        at: Where it stands in the file.
        use: The key of its provider; None for what has none, or for a source to be read by its ending.
        params: The provider's parameters.
        inputs: ``from``: the data sets, or the saved models, that it works on; None for all.
        model: Which of several models; None for the only one, or for all.
        source: What to read.
        roles: Which columns are what.
        uri: What to load.
        trusted: Types to trust on loading, also for a server.
        trust: Whether formats that need pickle may be loaded.
        data: The data sets to evaluate on; None for all but train.
        metrics: Keys, or mappings with ``use`` and parameters.
        path: Where to save.
        license: Under which the saved model may be used; None where nobody said.
        description: What it is for; likewise.
        to: Where to copy.
        overwrite: What to do where something is there already.
    """

    name: str
    own: str
    verb: str
    at: At
    use: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] | None = None
    model: str | None = None
    source: str = ""
    roles: Mapping[str, Any] | None = None
    uri: str = ""
    trusted: tuple[str, ...] = ()
    trust: bool = False
    data: tuple[str, ...] | None = None
    metrics: tuple[str | Mapping[str, Any], ...] = ()
    path: str = ""
    license: str | None = None
    description: str | None = None
    to: str = ""
    overwrite: str = "error"

    @property
    def provider(self) -> str:
        """What its provider is called in a record: the key, or what stands for it."""
        if self.verb == "evaluate":
            return ", ".join(metric if isinstance(metric, str) else str(metric.get("use")) for metric in self.metrics)
        if self.verb == "copy":
            return scheme_of(self.to)
        if self.verb == "read":
            return self.use or reader_for(self.source)
        return self.use or self.uri


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow file as steps.

    Attributes:
        name: Its name: that in the file, or the file's.
        steps: All steps but serve's, in the order in which they are run.
        serve: How it is served.
        stores: Parameters of stores, by scheme or beginning of URIs.
    """

    name: str
    steps: tuple[Step, ...]
    serve: tuple[Step, ...] = ()
    stores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, *verbs: str) -> list[Step]:
        """The steps of some verbs."""
        return [step for step in self.steps if step.verb in verbs]


def parse(values: Values, data: Mapping[Any, Any]) -> Workflow:
    """Bring the values of a file into shape; what does not fit becomes a fault of `values`.

    Args:
        values: Where faults go.
        data: The values as resolved.
    """
    for key in data:
        if key not in TOP:
            hint = did_you_mean(str(key), TOP) or f" Expected: {', '.join(TOP)}."
            values.fault((key,), f"A workflow has no stage {key!r}.{hint}", key=True)
    name = data.get("name", values.source.file.stem)
    if not isinstance(name, str):
        values.fault(("name",), "The name of a workflow is text.")
    if not isinstance(data.get("vars", {}), dict):
        values.fault(("vars",), "Expected a mapping from name to value.")
    stores = data.get("stores", {})
    if not isinstance(stores, dict) or not all(isinstance(params, dict) for params in stores.values()):
        values.fault(("stores",), "Expected a mapping from scheme or URI to parameters, as {s3: {region: eu-west-1}}.")
        stores = {}
    if "load" in data and "fit" in data:
        values.fault(("load",), "`load` takes the place of `fit`: keep one of them.", key=True)
    shape = _Shape(values)
    order = ("read", "transform", "load", "fit", "evaluate", "save", "copy", "serve")
    steps = [step for verb in order if verb in data for step in shape.stage(verb, data[verb])]
    if not any(key in data for key in ("read", "load")):
        values.fault((), "A workflow begins with `read`, or with `load: URI`; this file has neither.")
    serve = tuple(step for step in steps if step.verb == "serve")
    return Workflow(str(name), tuple(step for step in steps if step.verb != "serve"), serve, stores)


class _Shape:
    def __init__(self, values: Values) -> None:
        self.values = values

    def stage(self, verb: str, value: Any) -> Iterator[Step]:
        at: At = (verb,)
        if verb == "load":
            value = {"uri": value} if isinstance(value, str) else value
        if isinstance(value, list):
            if not value:
                self.values.fault(at, f"The stage {verb} has no step: give it one, or leave it out.")
            for index, one in enumerate(value):
                yield from self.step(verb, one, (verb, index), str(index))
        elif isinstance(value, dict) and _is_named(verb, value):
            for name, one in value.items():
                yield from self.step(verb, one, (verb, name), str(name))
        else:
            yield from self.step(verb, value, at, "")

    def step(self, verb: str, value: Any, at: At, own: str) -> Iterator[Step]:
        if not isinstance(value, dict) or not value:
            shape = _SHAPES.get(verb, "use: KEY, …")
            self.values.fault(at, f"Expected a step of {verb}, as {{{shape}}}; found {_kind(value)}.")
            return
        params = {}
        for key, given in value.items():
            if key in _OWN[verb]:
                continue
            if verb in _CLOSED or not isinstance(key, str):
                hint = did_you_mean(str(key), _OWN[verb]) or f" Expected: {', '.join(_OWN[verb])}."
                self.values.fault((*at, key), f"A step of {verb} has no {key!r}.{hint}", key=True)
            else:
                params[key] = given
        fields: dict[str, Any] = {}
        if "use" in _OWN[verb]:
            fields["use"] = self.text(
                value,
                at,
                "use",
                needed=f"the key of a provider; `mercury-ml providers {verb}` lists them" * (verb != "read"),
            )
        if "model" in _OWN[verb]:
            fields["model"] = self.text(value, at, "model")
        if "from" in _OWN[verb]:
            fields["inputs"] = self.texts(value, at, "from")
        fields.update(getattr(self, f"_{verb}")(value, at) if hasattr(self, f"_{verb}") else {})
        yield Step(name=".".join(map(str, at)), own=own, verb=verb, at=at, params=params, **fields)

    def _read(self, value: Mapping[str, Any], at: At) -> dict[str, Any]:
        roles = value.get("roles")
        if roles is not None and not isinstance(roles, dict):
            self.values.fault(
                (*at, "roles"), "Expected a mapping from role to columns, as {features: [a, b], targets: [y]}."
            )
            roles = None
        return {"source": self.text(value, at, "source", needed="a path or a URI") or "", "roles": roles}

    def _load(self, value: Mapping[str, Any], at: At) -> dict[str, Any]:
        uri = self.text(value, at, "uri", needed="the path or the URI of a stored model")
        return {"uri": uri or "", **self._serve(value, at)}

    def _serve(self, value: Mapping[str, Any], at: At) -> dict[str, Any]:
        trust = value.get("trust", False)
        if not isinstance(trust, bool):
            self.values.fault((*at, "trust"), f"`trust` is true or false; found {_kind(trust)}.")
        return {"trusted": self.texts(value, at, "trusted") or (), "trust": trust is True}

    def _evaluate(self, value: Mapping[str, Any], at: At) -> dict[str, Any]:
        metrics = value.get("metrics")
        metrics = [metrics] if isinstance(metrics, (str, dict)) else metrics
        if not isinstance(metrics, list) or not metrics:
            where = (*at, "metrics") if "metrics" in value else at
            self.values.fault(
                where, "A step of evaluate needs `metrics`, a list of keys; `mercury-ml providers evaluate` lists them."
            )
            metrics = []
        kept = []
        for index, metric in enumerate(metrics):
            place = self._item(value, at, "metrics", index)
            if (
                isinstance(metric, dict)
                and isinstance(metric.get("use"), str)
                and isinstance(metric.get("name", ""), str)
            ) or isinstance(metric, str):
                kept.append(metric)
            else:
                self.values.fault(place, "Expected the key of a metric, or {use: KEY, name: …} with its parameters.")
        return {"data": self.texts(value, at, "data"), "metrics": tuple(kept)}

    def _save(self, value: Mapping[str, Any], at: At) -> dict[str, Any]:
        return {
            "path": self.text(value, at, "path", needed="where to save") or "",
            "license": self.text(value, at, "license"),
            "description": self.text(value, at, "description"),
            **self._overwriting(value, at),
        }

    def _copy(self, value: Mapping[str, Any], at: At) -> dict[str, Any]:
        return {
            "to": self.text(value, at, "to", needed="a path or a URI to copy to") or "",
            **self._overwriting(value, at),
        }

    def _overwriting(self, value: Mapping[str, Any], at: At) -> dict[str, Any]:
        overwrite = self.text(value, at, "overwrite")
        if overwrite is not None and overwrite not in OVERWRITE:
            hint = did_you_mean(overwrite, OVERWRITE)
            self.values.fault((*at, "overwrite"), f"Expected error, skip or replace; found {overwrite!r}.{hint}")
            overwrite = None
        return {"overwrite": overwrite or "error"}

    def text(self, value: Mapping[str, Any], at: At, key: str, needed: str = "") -> str | None:
        """The text under a key; None where it is not there or not text."""
        if key not in value:
            if needed:
                self.values.fault(at, f"A step of {at[0]} needs `{key}`, {needed}.", key=True)
            return None
        if isinstance(value[key], str) and value[key]:
            return str(value[key])
        self.values.fault((*at, key), f"`{key}` is text; found {_kind(value[key])}.")
        return None

    def texts(self, value: Mapping[str, Any], at: At, key: str) -> tuple[str, ...] | None:
        """The texts under a key, one or a list of them; None where it is not there."""
        if key not in value:
            return None
        given = value[key]
        given = [given] if isinstance(given, str) else given
        if isinstance(given, list) and all(isinstance(one, str) for one in given):
            if given or key == "trusted":
                return tuple(given)
            self.values.fault((*at, key), f"`{key}` is empty: name something, or leave it out.")
            return None
        self.values.fault((*at, key), f"`{key}` is a name or a list of names; found {_kind(value[key])}.")
        return None

    @staticmethod
    def _item(value: Mapping[str, Any], at: At, key: str, index: int) -> At:
        """Where an item of a list stands, which may be written as one value without a list."""
        return (*at, key, index) if isinstance(value.get(key), list) else (*at, key)


def _is_named(verb: str, value: Mapping[Any, Any]) -> bool:
    """Whether a mapping is steps by name: it has none of a step's own keys, and steps in it."""
    if any(key in value and not isinstance(value[key], dict) for key in _OWN[verb]):
        return False
    return bool(value) and (
        all(isinstance(one, dict) for one in value.values())
        or any(isinstance(one, dict) and "use" in one for one in value.values())
    )


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, str):
        return f"the text {value!r}"
    return f"{value!r}"
