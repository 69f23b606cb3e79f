"""What a run ends with on stdout: a table of metrics, and where everything is."""

from __future__ import annotations

from mercury_core.cli import output
from mercury_core.cli.tables import show_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mercury_core.workflow import RunRecord

ELSEWHERE = "in run.json"
MOST_ROWS = 12


def show(record: RunRecord) -> None:
    """Print it."""
    by_model = record.metrics if record.models else {"": record.metrics}
    for model, metrics in by_model.items():
        columns, rows = metric_rows(metrics)
        if rows:
            show_table((model or "metric", *columns), rows, numbers=True)
            output.write("")
    places = [(str(each["step"]), each.get("uri") or each.get("path")) for each in record.artifacts]
    places.append(("run", record.directory))
    width = max(len(name) for name, _ in places)
    for name, place in places:
        output.write(f"{name:{width}}  {output.short(place)}")


def metric_rows(metrics: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Turn ``{data set: {metric: value}}`` into a row a metric and a column a data set.

    A metric that gives a mapping (a value a label) becomes a row a label, after its name.
    """
    sets = list(metrics)
    cells: dict[str, dict[str, str]] = {}
    for name in sets:
        for metric, measured in metrics[name].items():
            for label, value in _flat(metric, measured):
                cells.setdefault(label, {})[name] = value
    return sets, [[label, *(row.get(name, "") for name in sets)] for label, row in cells.items()]


def _flat(label: str, value: Any) -> list[tuple[str, str]]:
    """The rows of one metric: a mapping has one an entry; a matrix or a curve is not for the eye."""
    from collections.abc import Mapping

    if isinstance(value, (list, tuple)):
        return [(label, ELSEWHERE)]
    if not isinstance(value, Mapping):
        return [(label, _number(value))]
    if len(value) > MOST_ROWS or any(isinstance(inner, (list, tuple)) for inner in value.values()):
        return [(label, ELSEWHERE)]
    return [row for name, inner in value.items() for row in _flat(f"{label}.{name}", inner)]


def _number(value: Any) -> str:
    """Four decimals of what is near one, four digits of anything else: run.json has the rest."""
    if isinstance(value, float):
        return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}"
    return "–" if value is None else str(value)
