"""The options of `sklearn.preprocess`: what there is, what is meant by default, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from mercury_core.contracts import Fault
from mercury_core.errors import did_you_mean

NumericImpute = Literal["median", "mean", "most_frequent", "constant", "none"]
CategoricalImpute = Literal["most_frequent", "constant", "none"]
Scale = Literal["standard", "minmax", "robust", "maxabs", "none"]
Encode = Literal["onehot", "ordinal"]


@dataclass(frozen=True, slots=True)
class NumericOptions:
    """What to do with a numeric column.

    Attributes:
        impute: What stands for a missing value.
        fill_value: The number, with ``impute: constant``.
        scale: How it is scaled.
    """

    impute: NumericImpute = "median"
    fill_value: float = 0.0
    scale: Scale = "standard"


@dataclass(frozen=True, slots=True)
class CategoricalOptions:
    """What to do with a column of categories.

    Attributes:
        impute: What stands for a missing value; with ``none`` no category does.
        fill_value: The category, with ``impute: constant``.
        encode: A column a category, or the number of the category.
        min_frequency: Categories that come less often (a count, or a share of the rows) are one.
        max_categories: How many there are at the most; the rarest are one.
    """

    impute: CategoricalImpute = "most_frequent"
    fill_value: Any = "missing"
    encode: Encode = "onehot"
    min_frequency: float | None = None
    max_categories: int | None = None


Options = NumericOptions | CategoricalOptions | Literal["drop", "passthrough"]

_CHOICES: dict[Any, dict[str, tuple[str, ...]]] = {
    NumericOptions: {"impute": get_args(NumericImpute), "scale": get_args(Scale)},
    CategoricalOptions: {"impute": get_args(CategoricalImpute), "encode": get_args(Encode)},
}
_NAMES: dict[Any, tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in (NumericOptions, CategoricalOptions)
}
# Only columns of that kind have these, so that one says of which kind a column is to be.
_TELLING = {"scale": NumericOptions, "encode": CategoricalOptions, "min_frequency": CategoricalOptions}
_TELLING["max_categories"] = CategoricalOptions


def faults_of(params: Mapping[str, Any]) -> list[Fault]:
    """Everything that is wrong with the parameters of `Preprocess`, as far as it shows without data."""
    faults = _faults(("numeric",), NumericOptions, params.get("numeric") or {})
    faults += _faults(("categorical",), CategoricalOptions, params.get("categorical") or {})
    for name, given in (params.get("columns") or {}).items():
        at = ("columns", str(name))
        if isinstance(given, Mapping):
            kinds = {_TELLING[key] for key in given if key in _TELLING}
            if len(kinds) > 1:
                faults.append(Fault(at, f"The column {name!r} cannot be scaled and encoded: choose scale or encode."))
            else:
                faults += _faults(at, kinds.pop() if kinds else None, given)
        elif given not in ("drop", "passthrough"):
            near = did_you_mean(str(given), ("drop", "passthrough"))
            faults.append(
                Fault(at, f"{given!r} is nothing to do with a column: expected options, drop or passthrough.{near}")
            )
    return faults


def options_for(name: str, numeric: bool, params: Mapping[str, Any]) -> Options:
    """The options of one column.

    Args:
        name: The column.
        numeric: Whether its type is numeric.
        params: The parameters of `Preprocess`, without faults.
    """
    own = (params.get("columns") or {}).get(name, {})
    if isinstance(own, str):
        return "drop" if own == "drop" else "passthrough"
    kinds = {_TELLING[key] for key in own if key in _TELLING}
    kind = kinds.pop() if kinds else NumericOptions if numeric else CategoricalOptions
    general = params.get("numeric" if kind is NumericOptions else "categorical") or {}
    made: Options = kind(**{**general, **own})
    return made


def _faults(at: tuple[str, ...], kind: type | None, given: Any) -> list[Fault]:
    if not isinstance(given, Mapping):
        return [Fault(at, f"{'.'.join(at)} is {given!r}: expected a mapping of options.")]
    faults = []
    for key, value in given.items():
        # Without an option that tells the kind of a column, whatever either kind takes may be right.
        kinds = [kind] if kind else [NumericOptions, CategoricalOptions]
        names = dict.fromkeys(name for each in kinds for name in _NAMES[each])
        if key not in names:
            near = did_you_mean(str(key), names) or f" It has: {', '.join(names)}."
            faults.append(Fault((*at, str(key)), f"{'.'.join(at)} has no option {str(key)!r}.{near}"))
            continue
        choices = dict.fromkeys(choice for each in kinds for choice in _CHOICES[each].get(key, ()))
        why = _wrong(key, value, choices, kind)
        if why:
            faults.append(Fault((*at, str(key)), f"{'.'.join((*at, key))} is {value!r}: expected {why}"))
    return faults


def _wrong(key: str, value: Any, choices: Collection[str], kind: type | None) -> str:
    if choices and value not in choices:
        return f"{', '.join(choices)}.{did_you_mean(str(value), choices)}"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "fill_value" and kind is NumericOptions and not number:
        return "a number."
    if key == "min_frequency" and value is not None:
        whole = isinstance(value, int)
        if not number or value <= 0 or (not whole and value >= 1):
            return "a count from 1, or a share between 0 and 1."
    if key == "max_categories" and value is not None and (not number or not isinstance(value, int) or value < 1):
        return "a whole number from 1."
    return ""
