"""Proof that a bundle still predicts what it did: its golden rows, replayed here or by a server."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mercury_core.bundle import directory
from mercury_core.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from mercury_core.storage import Stores


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a replay of golden rows showed.

    Attributes:
        rows: How many were replayed.
        largest: The largest difference of a number, relative to its size where that is above one; infinity where a
            label is another one, or where there is a value in place of none.
        tolerance: What it may be.
        holds: Whether it is not above that.
        where: The prediction with the largest difference, in words; empty where there is no difference.
    """

    rows: int
    largest: float
    tolerance: float
    holds: bool
    where: str


def verify(
    uri: str | Path,
    *,
    against: str | None = None,
    tolerance: float | None = None,
    trusted: Collection[str] = (),
    trust: bool = False,
    token: str = "",
    stores: Mapping[str, Mapping[str, Any]] | Stores | None = None,
) -> VerifyReport:
    """Replay the golden rows of a bundle, and compare the predictions with those of its save.

    Args:
        uri: The bundle: a directory, or a URI of any store.
        against: The URL of a server that should give these predictions, as ``http://host:8080``, or
            ``http://host:8080/v2/models/NAME`` of one with several models. Then the bundle is not loaded: of one in a
            store, only the manifest and the golden rows are fetched.
        tolerance: By how much a prediction may move; by default what its format says.
        trusted: Types, by full name, to trust beyond the lists of the plugins.
        trust: Whether formats that need pickle may be loaded, which run whatever code the files bring.
        token: For a server that asks for a bearer token.
        stores: Parameters of stores, by scheme or beginning of URIs; see `mercury_core.storage.Stores`.

    Returns:
        By how much the predictions moved.

    Raises:
        BundleError: It is no bundle, it was altered, it may not be loaded, or it has no golden rows; or the tolerance
            is less than 0.
        PredictError: The server does not answer, or refuses the rows.
        StoreAccessError: The store cannot be reached, or it refuses.
    """
    if tolerance is not None and not tolerance >= 0:
        raise BundleError(f"Cannot verify with tolerance={tolerance:g}: expected a number from 0 on.")
    golden = directory.golden_of(uri, stores=stores)
    if against is None:
        from mercury_core.data import DataSet
        from mercury_core.data.prediction_table import prediction_table

        bundle = directory.load(uri, trusted=trusted, trust=trust, stores=stores)
        rows = DataSet({"features": golden.rows})
        replayed = prediction_table(rows, bundle.predict(rows)).to_pydict()
    else:
        from mercury_core.bundle.replay_http import replayed_by

        replayed = replayed_by(against, golden, token)
    tolerance = golden.tolerance if tolerance is None else tolerance
    return compared(golden.predictions.to_pydict(), replayed, tolerance)


def compared(expected: Mapping[str, list[Any]], found: Mapping[str, list[Any]], tolerance: float) -> VerifyReport:
    """Compare predictions of the same rows, by name."""
    rows = max(map(len, expected.values()), default=0)
    if set(found) != set(expected) or any(len(values) != rows for values in found.values()):
        there = {f"{name} of {len(values)} rows" for name, values in found.items()}
        where = f"expected {', '.join(expected)} of {rows} rows, found {', '.join(sorted(there)) or 'nothing'}"
        return VerifyReport(rows, math.inf, tolerance, holds=False, where=where)
    largest, where = 0.0, ""
    for name, values in expected.items():
        for row, (one, other) in enumerate(zip(values, found[name], strict=True)):
            difference = _difference(one, other)
            if difference > largest:
                largest, where = difference, f"{name} of row {row}: expected {one!r}, found {other!r}"
    return VerifyReport(rows, largest, tolerance, holds=largest <= tolerance, where=where)


def _difference(one: Any, other: Any) -> float:
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return max(map(_difference, one, other), default=0.0)
    if not (_is_number(one) and _is_number(other)):
        return 0.0 if type(one) is type(other) and one == other else math.inf
    if one == other or (one != one and other != other):  # NaN is like NaN
        return 0.0
    if isinstance(one, float) or isinstance(other, float):
        one, other = float(one), float(other)
    moved = float(abs(other - one)) / max(1.0, abs(float(one)))
    return moved if moved == moved else math.inf


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
