"""What a run ends with on stdout: a table of metrics, and where everything is."""

from __future__ import annotations

from mercury_core.cli import output
from mercury_core.cli.tables import show_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mercury_core.workflow import RunRecord


def show(record: RunRecord) -> None:
    """Print it."""
    for title, metrics in _by_model(record.metrics):
        if title:
            output.write(f"\n{title}")
        columns, rows = metric_rows(metrics)
        if rows:
            show_table(("metric", *columns), rows, numbers=True)
    places = [
        (str(each.get("name", each.get("step", ""))), str(each.get("uri", each.get("path", ""))))
        for each in record.artifacts
    ]
    output.write("")
    for name, place in [*places, ("run", str(record.directory))]:
        output.write(f"{name:{max(len(name) for name, _ in [*places, ('run', '')])}}  {place}")


def _by_model(metrics: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Metrics of several models stand under the name of each; those of one model do not."""
    return [("", metrics)]


def metric_rows(metrics: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Turn ``{data set: {metric: value}}`` into a row a metric and a column a data set.

    A metric that gives a mapping (a value a label) becomes a row a label, below its name.
    """
    sets = list(metrics)
    cells: dict[str, dict[str, str]] = {}
    for name in sets:
        for label, value in _flat("", metrics[name]):
            cells.setdefault(label, {})[name] = value
    return sets, [[label, *(row.get(name, "") for name in sets)] for label, row in cells.items()]


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    from collections.abc import Mapping

    if isinstance(value, Mapping):
        return [
            pair for key, inner in value.items() for pair in _flat(f"{prefix}.{key}" if prefix else str(key), inner)
        ]
    return [(prefix, _number(value))]


def _number(value: Any) -> str:
    """Four decimals of what is near one, four digits of anything else: run.json has the rest."""
    if isinstance(value, float):
        return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}"
    return "–" if value is None else str(value)
