"""A data set into several: at random, stratified, by group or by time."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError, MissingColumnsError, SplitError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from mercury_core.data import DataBunch, DataSet

REST = "rest"
_ALONE = ("stratify", "group", "time")


class Split:
    """Splits the only data set of a bunch into disjoint sets that together are all of its rows.

    Examples:
        >>> from mercury_core.data import DataBunch, DataSet
        >>> rows = {"age": list(range(10)), "paid": [True, False] * 5}
        >>> bunch = DataBunch({"data": DataSet.from_table(rows, {"targets": "paid"})})
        >>> parts = split(bunch, into={"train": 0.6, "test": 0.4}, stratify="paid", seed=7)
        >>> {name: part.num_rows for name, part in parts.items()}
        {'train': 6, 'test': 4}
    """

    def __call__(
        self,
        bunch: DataBunch,
        *,
        into: dict[str, float | int | Literal["rest"]],
        stratify: str | None = None,
        group: str | None = None,
        time: str | None = None,
        seed: int | None = 0,
        shuffle: bool = True,
    ) -> DataBunch:
        """Split.

        `stratify`, `group` and `time` name a column of any role (targets, index, features, …); at most one of the three
        may be given. Within each set the rows keep their order.

        Args:
            bunch: A bunch with one data set.
            into: The sets in order, each with its fraction of the rows, or each with its number of rows; one of them
                may be ``rest``. Fractions sum to 1, numbers to all rows.
            stratify: Give each set the same share of each value of this column, to within a row or two; a null is a
                value of its own. Every value needs as many rows as there are sets; a small fraction of few rows may
                still be none.
            group: Keep rows with the same value of this column in the same set; the sizes are met as nearly as whole
                groups go, the largest groups first.
            time: Give the earliest rows by this column (timestamps, dates, times or numbers) to the first set, and so
                on. Rows of the same time stay together, so that sizes may differ by so much.
            seed: Of NumPy's `default_rng`: the same seed, data and parameters give the same sets. None gives others
                each time.
            shuffle: Whether rows are drawn at random; False takes them in their order.

        Returns:
            A bunch with the new sets in place of the old one.

        Raises:
            SplitError: A bunch with another number of data sets; a set that would be empty; values that cannot be split
                so.
            MissingColumnsError: The data set lacks the column.
            ArgumentsError: Parameters that contradict one another, or say nothing.
        """
        params = {"into": into, "stratify": stratify, "group": group, "time": time, "seed": seed}
        if faults := [fault.message for fault in self.check_params(params)]:
            raise ArgumentsError("transform", "split", faults)
        if len(bunch) != 1:
            raise SplitError(
                f"A split takes one data set, and the bunch has {len(bunch)}{': ' if bunch else ''}{', '.join(bunch)}. "
                f"Choose one: `from: NAME` in a workflow file, data=['NAME'] in Python."
            )
        name, data_set = next(iter(bunch.items()))
        sizes = _sizes(into, data_set.num_rows, name)
        import numpy as np

        order = np.random.default_rng(seed).permutation(data_set.num_rows) if shuffle else np.arange(data_set.num_rows)
        if stratify is not None:
            parts = _stratified(_codes(data_set, name, stratify, "stratify"), sizes, order, stratify)
        elif group is not None:
            parts = _grouped(_codes(data_set, name, group, "group"), sizes, order, group)
        elif time is not None:
            parts = _by_time(_column(data_set, name, time), sizes, time)
        else:
            parts = np.split(order, np.cumsum(list(sizes.values()))[:-1])
        from mercury_core.data import DataBunch

        return DataBunch({part: data_set.take(np.sort(rows)) for part, rows in zip(sizes, parts, strict=True)})

    def check_params(self, params: Mapping[str, Any]) -> Iterable[Fault]:
        """What is wrong with the parameters; see `mercury_core.contracts.ParamsChecker`."""
        yield from _into_faults(params.get("into"))
        named = [name for name in _ALONE if params.get(name) is not None]
        if len(named) > 1:
            message = f"{' and '.join(map(repr, named))} exclude one another: a split goes by one of them."
            yield Fault((named[1],), message)
        seed = params.get("seed", 0)
        if isinstance(seed, Integral) and int(seed) < 0:
            yield Fault(("seed",), f"'seed' is {seed}: expected 0 or more, or null for other sets each time.")


split = Split()


# --- sizes ---


def _into_faults(into: Any) -> Iterable[Fault]:
    if not isinstance(into, Mapping) or not into:
        expected = "the sets and their shares, such as {train: 0.8, test: 0.2}"
        yield Fault(("into",), f"'into' is {into!r}: expected {expected}.")
        return
    shares = {name: share for name, share in into.items() if share != REST}
    wrong = {name: share for name, share in shares.items() if not _is_share(share)}
    for name, share in wrong.items():
        expected = f"a fraction up to 1 (0.8), a number of rows (100), or {REST!r}"
        yield Fault(("into", name), f"The set {name!r} is to get {share!r}: expected {expected}.")
    if wrong:
        return
    if len(into) - len(shares) > 1:
        yield Fault(("into",), f"Several sets are to get the {REST!r}: only one can.")
    counts = [isinstance(share, Integral) for share in shares.values()]
    if any(counts) and not all(counts):
        yield Fault(("into",), "'into' mixes fractions and numbers of rows: expected one or the other.")
    elif counts and not any(counts):
        total = float(sum(shares.values()))
        if len(shares) == len(into) and abs(total - 1) > 1e-6:
            yield Fault(("into",), f"The fractions of 'into' sum to {total:g}: expected 1, or {REST!r} for one set.")
        elif len(shares) < len(into) and total > 1 - 1e-9:
            yield Fault(("into",), f"The fractions of 'into' sum to {total:g}, and leave no {REST!r}.")


def _is_share(share: Any) -> bool:
    if isinstance(share, bool) or not isinstance(share, Real):
        return False
    return int(share) > 0 if isinstance(share, Integral) else 0 < float(share) <= 1


def _sizes(into: Mapping[str, Any], rows: int, name: str) -> dict[str, int]:
    """How many rows each set gets."""
    shares = {part: share for part, share in into.items() if share != REST}
    if all(isinstance(share, Integral) for share in shares.values()):
        exact = {part: int(share) for part, share in shares.items()}
        left = rows - sum(exact.values())
        if left < 0 or (left and len(shares) == len(into)):
            raise SplitError(
                f"The sets are to get {sum(exact.values())} rows, and the data set {name!r} has {rows}: "
                f"expected {'at most' if left < 0 else 'all of'} them; {REST!r} for a set gives it what is left."
            )
        sizes = {part: exact.get(part, left) for part in into}
    else:
        filled = {part: share if share != REST else 1 - sum(shares.values()) for part, share in into.items()}
        sizes = dict(zip(into, _rounded([rows * share for share in filled.values()], rows), strict=True))
    for part, size in sizes.items():
        if not size:
            raise SplitError(
                f"The set {part!r} would be empty: {into[part]} of the {rows} rows of the data set {name!r} is none. "
                f"Give it a larger share, or leave it out."
            )
    return sizes


def _rounded(ideal: list[float], total: int) -> list[int]:
    """Whole numbers that sum to `total`, each within one of the ideal: the largest remainders are rounded up."""
    floors = [int(value + 1e-9) for value in ideal]
    places = sorted(range(len(ideal)), key=lambda place: floors[place] - ideal[place])
    for place in places[: total - sum(floors)]:
        floors[place] += 1
    return floors


# --- rows ---


def _column(data_set: DataSet, name: str, column: str) -> pa.Array:
    """One column, whichever role it has."""
    for wrapper in data_set.values():
        if column in wrapper:
            array = wrapper[column].to("arrow").underlying.column(0).combine_chunks()
            return array.dictionary_decode() if hasattr(array, "dictionary_decode") else array
    columns = [field for wrapper in data_set.values() for field in wrapper]
    raise MissingColumnsError(f"The data set {name!r}", [column], columns)


def _codes(data_set: DataSet, name: str, column: str, use: str) -> tuple[Any, pa.Array]:
    """A number for each row, the same for the same value; and the values by number, in order of their first rows."""
    import pyarrow as pa

    array = _column(data_set, name, column)
    if use == "group":
        _refuse_nulls(array, column, use)
    try:
        encoded = array.dictionary_encode(null_encoding="encode")
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise SplitError(
            f"The column {column!r} of type {array.type} cannot be used to {use}: expected values that can be compared."
        ) from error
    return encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary


def _refuse_nulls(array: pa.Array, column: str, use: str) -> None:
    if array.null_count:
        raise SplitError(
            f"The column {column!r} has {array.null_count} nulls, and a row without a {use} belongs nowhere. "
            f"Fill or leave out these rows first."
        )


def _stratified(coded: tuple[Any, pa.Array], sizes: dict[str, int], order: Any, column: str) -> list[Any]:
    import numpy as np

    codes, values = coded
    counts = np.bincount(codes, minlength=len(values))
    _check_classes(counts, values, len(sizes), column)
    wanted = np.array(list(sizes.values()))
    ideal = np.outer(counts, wanted / wanted.sum())
    given = np.array([_rounded(list(row), int(count)) for row, count in zip(ideal, counts, strict=True)])
    # Rounding class by class leaves some sets a few rows too large: single rows move, where that costs least.
    while (surplus := given.sum(axis=0) - wanted).any():
        source, target = int(surplus.argmax()), int(surplus.argmin())
        cost = np.where(given[:, source] > 0, (given - ideal)[:, target] - (given - ideal)[:, source], np.inf)
        row = int(cost.argmin())
        given[row, source] -= 1
        given[row, target] += 1
    by_class = order[np.argsort(codes[order], kind="stable")]
    pieces = np.split(by_class, np.cumsum(given.ravel())[:-1])
    return [np.concatenate(pieces[part :: len(sizes)]) for part in range(len(sizes))]


def _check_classes(counts: Any, values: pa.Array, sets: int, column: str) -> None:
    if len(values) == 1:
        raise SplitError(f"The column {column!r} has one value only, {values[0].as_py()!r}: leave out 'stratify'.")
    rare = [place for place, count in enumerate(counts) if count < sets]
    if rare:
        shown = ", ".join(f"{values[place].as_py()!r} ({counts[place]})" for place in rare[:5])
        raise SplitError(
            f"Of the {len(values)} values of {column!r}, {len(rare)} have fewer rows than there are sets ({sets}): "
            f"{shown}{' …' if len(rare) > 5 else ''}. Merge or leave out rare values, or split without 'stratify'."
        )


def _grouped(coded: tuple[Any, pa.Array], sizes: dict[str, int], order: Any, column: str) -> list[Any]:
    import numpy as np

    codes, values = coded
    if len(values) < len(sizes):
        raise SplitError(
            f"The column {column!r} has {len(values)} groups for {len(sizes)} sets, and a group is never parted: "
            f"expected at least as many groups as sets."
        )
    counts = np.bincount(codes, minlength=len(values))
    _, first = np.unique(codes[order], return_index=True)
    drawn = np.argsort(first, kind="stable")  # groups in the order in which their first rows are drawn
    missing = np.array(list(sizes.values()), dtype=np.int64)
    empty = np.ones(len(sizes), dtype=bool)
    home = np.empty(len(values), dtype=np.int64)
    for done, code in enumerate(drawn[np.argsort(-counts[drawn], kind="stable")]):
        only_empty = len(values) - done <= empty.sum()
        place = int(np.where(empty | (not only_empty), missing, np.iinfo(np.int64).min).argmax())
        home[code], empty[place] = place, False
        missing[place] -= counts[code]
    return [np.flatnonzero(home[codes] == place) for place in range(len(sizes))]


def _by_time(array: pa.Array, sizes: dict[str, int], column: str) -> list[Any]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if not (pa.types.is_temporal(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise SplitError(
            f"The column {column!r} of type {kind} has no order in time: expected timestamps, dates, times or numbers. "
            f"Let the reader parse it, as with timestamp_parsers of csv."
        )
    _refuse_nulls(array, column, "time")
    if pa.types.is_floating(kind) and pc.any(pc.is_nan(array)).as_py():
        raise SplitError(f"The column {column!r} holds NaN, which has no place in time. Leave out these rows first.")
    order = pc.array_sort_indices(array).to_numpy()  # stable
    times = array.take(pa.array(order))
    changes = pc.not_equal(times[1:], times[:-1]).to_numpy(zero_copy_only=False)
    edges = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(order)]])
    cuts = np.cumsum(list(sizes.values()))[:-1]
    nearest = edges[np.abs(edges[None, :] - cuts[:, None]).argmin(axis=1)]
    parts = np.split(order, nearest)
    for name, rows in zip(sizes, parts, strict=True):
        if not len(rows):
            raise SplitError(
                f"The set {name!r} would be empty, since too many rows have the same {column!r}, and such rows "
                f"stay together. Give it a larger share, or split by a finer time."
            )
    return list(parts)
