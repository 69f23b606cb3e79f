"""Arguments are compared with what a provider says it takes, all faults at once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, Protocol, TypeVar, Union

import msgspec
import numpy as np
import pytest
from hypothesis import given, strategies as st

from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError
from mercury_core.parameters import check, require

if TYPE_CHECKING:
    from nowhere import Unknown  # a hint that cannot be resolved

T = TypeVar("T")


def read_lines(
    source: str, columns: list[str] | None = None, *, max_rows: int = 100, on_error: Literal["skip", "raise"] = "raise"
) -> list[str]:
    """A reader."""
    return []


def messages(verb: str, provider: Any, params: Mapping[str, Any], given: tuple[str, ...] = ()) -> list[str]:
    return [fault.message for fault in check(verb, "mine", provider, params, given)]


def test_what_fits_has_no_fault() -> None:
    assert check("read", "lines", read_lines, {"max_rows": 5, "on_error": "skip"}) == []


def test_all_faults_come_at_once_in_the_order_given() -> None:
    faults = check("read", "lines", read_lines, {"on_error": "skp", "max_row": 1, "max_rows": "many", "source": "a"})
    assert [fault.path for fault in faults] == [("on_error",), ("max_row",), ("max_rows",), ("source",)]
    assert [fault.message for fault in faults] == [
        "The parameter 'on_error' of 'lines' must be 'skip' or 'raise': not 'skp'. Did you mean 'skip'?",
        "The provider 'lines' has no parameter 'max_row'. Did you mean 'max_rows'?",
        "The parameter 'max_rows' of 'lines' must be int: got str.",
        "The parameter 'source' of 'lines' is given by Mercury: leave it out.",
    ]


def test_what_is_not_near_lists_all_there_is() -> None:
    assert messages("read", read_lines, {"zzz": 1}) == [
        "The provider 'mine' has no parameter 'zzz'. It has: max_rows, on_error."
    ]
    assert messages("read", lambda source: source, {"zzz": 1}) == [
        "The provider 'mine' has no parameter 'zzz'. It has none."
    ]


def test_what_is_missing_is_named_with_its_type() -> None:
    def fit(bunch: Any, estimator: str, depth, *, rate: float = 0.1): ...  # type: ignore[no-untyped-def]

    assert messages("fit", fit, {"rate": 1}) == [
        "The provider 'mine' needs the parameter 'estimator': str.",
        "The provider 'mine' needs the parameter 'depth'.",
    ]


def test_the_caller_says_what_the_core_hands_over() -> None:
    assert messages("read", read_lines, {"columns": ["a"]}, given=("source",)) == []
    assert messages("execute", read_lines, {}) == ["The provider 'mine' needs the parameter 'source': str."]


def test_the_data_of_a_transform_function_is_handed_over_by_position() -> None:
    def double(data: Any, factor: int = 2) -> Any: ...

    assert messages("transform", double, {"factor": 3}) == []
    assert "is given by Mercury" in messages("transform", double, {"data": 1})[0]
    assert messages("transform", lambda: None, {}) == []


def test_require_raises_all_of_it() -> None:
    with pytest.raises(ArgumentsError) as caught:
        require("read", "lines", read_lines, {"max_row": 1, "max_rows": "many"})
    assert len(caught.value.faults) == 2
    assert str(caught.value).startswith(
        "Wrong arguments for the provider 'lines' of 'read': The provider 'lines' has no"
    )
    require("read", "lines", read_lines, {"max_rows": 1})


class Scaler:
    """A transformer."""

    def __init__(self, columns: Sequence[str] = (), *, with_mean: bool = True) -> None: ...


class Calls:
    """An instance that is called."""

    def __call__(self, targets: Any, predictions: Any, average: Literal["micro", "macro"] = "micro") -> float:
        return 0.0


class Format:
    """A format: its `save` is what takes parameters."""

    def save(self, model: Any, path: Path, compress: bool = False) -> Path:
        return path


class Artifact:
    """An artifact format."""

    def write(self, artifact: Any, path: Path, indent: int = 0) -> Path:
        return path


@pytest.mark.parametrize(
    ("verb", "provider", "right", "wrong", "said"),
    [
        ("transform", Scaler, {"columns": ["a"], "with_mean": False}, {"with_mean": 1}, "must be bool: got int"),
        ("transform", Scaler, {"columns": ("a", "b")}, {"columns": "ab"}, "must be Sequence[str]: got str"),
        ("evaluate", Calls(), {"average": "macro"}, {"average": "makro"}, "Did you mean 'macro'"),
        ("save", Format(), {"compress": True}, {"compres": True}, "Did you mean 'compress'"),
        ("save", Artifact(), {"indent": 2}, {"indent": "x"}, "must be int: got str"),
        ("read", functools.partial(read_lines, max_rows=3), {"max_rows": 4}, {"max_rows": "x"}, "must be int: got str"),
        ("read", staticmethod(read_lines).__func__, {}, {"x": 1}, "has no parameter 'x'"),
    ],
)
def test_every_kind_of_provider(
    verb: str, provider: Any, right: dict[str, Any], wrong: dict[str, Any], said: str
) -> None:
    assert messages(verb, provider, right) == []
    (message,) = messages(verb, provider, wrong)
    assert said in message


class Uncheckable(Protocol):
    """Not runtime-checkable."""


@pytest.mark.parametrize(
    ("hint", "value", "where", "said"),
    [
        (float, 1, None, ""),
        (float, True, (), "got bool"),
        (int, 1.0, (), "got float"),
        (int, True, (), "got bool"),
        (int, np.int64(3), None, ""),
        (int, np.float64(3), (), "got float"),
        (float, np.float32(0.5), None, ""),
        (str, 3, (), "got int"),
        (str, None, (), "got null"),
        (Path, "a/b", None, ""),
        (Path, Path("a"), None, ""),
        (Path, 3, (), "got int"),
        (str | Path, Path("a"), None, ""),
        (str | Path, "a", None, ""),
        (str | Path, 3, (), "must be str | Path: got int"),
        (str | Path | None, None, None, ""),
        (list[int], [1, 2], None, ""),
        (list[int], [1, "b"], (1,), "'p[1]' of 'mine' must be list[int]: expected int, got str"),
        (list[int], (1, 2), None, ""),
        (tuple[int, int], [1, 2], None, ""),
        (tuple[int, int], [1], (), "of length 2"),
        (set[str], ["a"], None, ""),
        (dict[str, int], {"a": 1}, None, ""),
        (dict[str, int], {"a": "b"}, (), "expected int, got str"),
        (Mapping[str, float] | Sequence[float], [0.7, "x"], (1,), "expected float, got str"),
        (Mapping[str, float] | Sequence[float], {"train": 1}, None, ""),
        (Optional[Literal["a"]], "b", (), "not 'b'"),  # noqa: UP045  (as older plugins write it)
        (Union[int, list[str]], 0.5, (), "got float"),  # noqa: UP007  (likewise)
        (Callable[[int], int], len, None, ""),
        (Callable[[int], int], 3, (), "got int"),
        (str | Callable[..., Any], len, None, ""),
        (str | Callable[..., Any], 3, (), "got int"),
        (type | str, int, None, ""),
        (Iterable[str], ["a"], None, ""),
        (Annotated[int, msgspec.Meta(ge=1)], 0, (), "expected int >= 1"),
        (T, object(), None, ""),
        (Any, object(), None, ""),
        (object, object(), None, ""),
        (Uncheckable, object(), None, ""),
        (list[Uncheckable], [3], None, ""),
        ("Unknown", object(), None, ""),
        ("list[int]", ["a"], (0,), "expected int, got str"),
    ],
)
def test_types(hint: Any, value: Any, where: tuple[Any, ...] | None, said: str) -> None:
    def provider(p): ...  # type: ignore[no-untyped-def]

    provider.__annotations__["p"] = hint
    faults = check("execute", "mine", provider, {"p": value})
    if where is None:
        assert faults == []
    else:
        (fault,) = faults
        assert fault.path == ("p", *where)
        assert said in fault.message


def test_one_hint_that_cannot_be_resolved_leaves_the_others_alone() -> None:
    def provider(a: Unknown = None, b: int = 1): ...  # type: ignore[no-untyped-def]

    assert messages("execute", provider, {"a": object(), "b": "x"}) == [
        "The parameter 'b' of 'mine' must be int: got str."
    ]


def test_free_parameters_take_any_name_and_their_hint() -> None:
    def provider(bunch: Any, depth: int = 1, **params: float): ...  # type: ignore[no-untyped-def]

    assert messages("fit", provider, {"anything": 1, "depth": 2}) == []
    assert messages("fit", provider, {"anything": "x"}) == [
        "The parameter 'anything' of 'mine' must be float: got str."
    ]


def test_a_wrapped_function_keeps_its_hints() -> None:
    @functools.wraps(read_lines)
    def wrapped(*args: Any, **kwargs: Any) -> Any: ...

    assert messages("read", wrapped, {"max_rows": "x"}) == ["The parameter 'max_rows' of 'mine' must be int: got str."]


def test_what_has_no_signature_takes_anything() -> None:
    assert messages("read", type, {"anything": 1}) == []


def test_a_provider_that_knows_more_is_asked_last() -> None:
    asked: list[Mapping[str, Any]] = []

    def fit(bunch: Any, estimator: str, params: dict[str, Any] | None = None) -> Any: ...

    def check_params(params: Mapping[str, Any]) -> list[Fault]:
        asked.append(params)
        return [Fault(("params", "max_itr"), "LogisticRegression has no 'max_itr'.")]

    fit.check_params = check_params  # type: ignore[attr-defined]
    assert messages("fit", fit, {"estimator": 3}) == ["The parameter 'estimator' of 'mine' must be str: got int."]
    assert asked == []
    (fault,) = check("fit", "mine", fit, {"estimator": "LogisticRegression", "params": {"max_itr": 1}})
    assert fault.path == ("params", "max_itr")
    assert asked == [{"estimator": "LogisticRegression", "params": {"max_itr": 1}}]


def test_values_are_not_told_since_one_may_be_a_secret() -> None:
    def store(token: int = 0, place: list[int] = []) -> Any: ...  # noqa: B006

    assert "hunter2" not in "".join(messages("copy", store, {"token": "hunter2", "place": ["hunter2"]}))


@given(st.lists(st.integers()), st.lists(st.one_of(st.integers(), st.text(), st.none(), st.booleans())))
def test_a_list_of_integers_is_just_that(right: list[int], perhaps: list[Any]) -> None:
    def provider(p: list[int]): ...  # type: ignore[no-untyped-def]

    assert check("execute", "mine", provider, {"p": right}) == []
    fits = all(type(item) is int for item in perhaps)
    assert (check("execute", "mine", provider, {"p": perhaps}) == []) == fits
