"""`sklearn.preprocess`: what it makes of columns, by type and by option."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from mercury_sklearn.preprocess import FittedPreprocess, Preprocess
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from mercury_core.data import DataBunch, DataSet, DataWrapper
from mercury_core.errors import ArgumentsError, BundleFormatError, ConversionError, FitError, MissingColumnsError

if TYPE_CHECKING:
    from pathlib import Path

PENGUINS = pa.table(
    {
        "island": ["Biscoe", "Dream", None, "Biscoe", "Torgersen", "Biscoe"],
        "bill": [39.1, None, 40.3, 36.7, 39.3, float("nan")],
        "mass": pa.array([3750, 3800, None, 3450, 3650, 3625], pa.int16()),
        "tagged": [True, None, False, True, True, True],
    }
)


def rows(table: Any, **roles: Any) -> DataSet:
    return DataSet({"features": table, **roles})


def fitted(table: Any, **params: Any) -> FittedPreprocess:
    return Preprocess(**params).fit(DataBunch({"train": rows(table)}))


def matrix(work: FittedPreprocess, table: Any) -> np.ndarray[Any, Any]:
    features = work.apply(rows(table)).features
    assert features.underlying.dtype == np.float64
    return features.underlying


# --- the defaults ---


def test_defaults_are_those_of_scikit_learns_own_parts() -> None:
    work = fitted(PENGUINS)
    pytest.importorskip("pandas")
    frame = PENGUINS.to_pandas()
    frame["tagged"] = frame["tagged"].astype(object)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = make_pipeline(
        SimpleImputer(missing_values=None, strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    frame = frame.astype({"island": object}).where(frame.notna(), None)
    frame[["bill", "mass"]] = frame[["bill", "mass"]].astype(float)
    parts = [("island", words, ["island"]), ("numbers", numbers, ["bill", "mass"]), ("tagged", words, ["tagged"])]
    expected = ColumnTransformer(parts, verbose_feature_names_out=False).fit(frame)
    assert work.output_names == list(expected.get_feature_names_out())
    np.testing.assert_allclose(matrix(work, PENGUINS), expected.transform(frame), rtol=1e-12, atol=1e-15)


def test_names_types_and_other_roles() -> None:
    data_set = rows(PENGUINS, targets={"y": [1, 2, 3, 4, 5, 6]}, index={"id": list("abcdef")})
    work = Preprocess().fit(DataBunch({"train": data_set}))
    made = work.apply(data_set)
    names = ("island_Biscoe", "island_Dream", "island_Torgersen", "bill", "mass", "tagged_False", "tagged_True")
    assert made.features.field_names == names
    assert made.features.format == "numpy"
    assert made.targets is data_set.targets
    assert made.index is data_set.index
    assert data_set.features.underlying is PENGUINS


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_every_format_gives_the_same_bits(kind: str) -> None:
    pytest.importorskip("pyarrow" if kind == "arrow" else kind)
    expected = matrix(fitted(PENGUINS), PENGUINS)
    wrapper = DataWrapper(PENGUINS).to(kind)
    np.testing.assert_array_equal(matrix(fitted(wrapper), wrapper), expected)


def test_a_matrix_is_preprocessed_and_not_changed() -> None:
    given_rows = np.array([[1.0, np.nan], [3.0, 4.0], [5.0, 8.0]])
    before = given_rows.copy()
    made = matrix(fitted(given_rows), given_rows)
    np.testing.assert_array_equal(given_rows, before)
    np.testing.assert_allclose(made, StandardScaler().fit_transform([[1.0, 6.0], [3.0, 4.0], [5.0, 8.0]]))


def test_only_train_is_looked_at() -> None:
    bunch = DataBunch({"train": rows({"x": [0.0, 2.0]}), "test": rows({"x": [100.0]})})
    assert bunch.transform(Preprocess().fit(bunch))["test"].features.underlying.tolist() == [[99.0]]


def test_more_rows_than_are_written_at_once() -> None:
    values, words = np.arange(20_000.0), np.array(["u", "v", "w"])[np.arange(20_000) % 3]
    table = pa.table({"x": values, "w": words})
    made = matrix(fitted(table), table)
    np.testing.assert_array_equal(made[:, 0], StandardScaler().fit_transform(values[:, None])[:, 0])
    np.testing.assert_array_equal(made[:, 1:].argmax(axis=1), np.arange(20_000) % 3)
    assert made.flags.c_contiguous
    chunked = pa.concat_tables([table.slice(0, 7), table.slice(7, 9_000), table.slice(9_007)])
    np.testing.assert_array_equal(matrix(fitted(chunked), chunked), made)


# --- numeric options ---

SCALERS = {"standard": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler, "maxabs": MaxAbsScaler}
COLUMN = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6).map(lambda x: round(x, 3))), min_size=3, max_size=30)


@settings(max_examples=60, deadline=None)
@given(COLUMN, st.sampled_from(["median", "mean", "most_frequent", "constant"]), st.sampled_from([*SCALERS, "none"]))
def test_numbers_are_those_of_scikit_learn(values: list[float | None], impute: str, scale: str) -> None:
    if not any(value is not None for value in values):
        return
    column = np.array([np.nan if value is None else value for value in values])[:, None]
    parts: list[Any] = [SimpleImputer(strategy=impute, **({"fill_value": 5.0} if impute == "constant" else {}))]
    if scale != "none":
        parts.append(SCALERS[scale]())
    options = {"impute": impute, "scale": scale, "fill_value": 5.0}
    table = pa.table({"x": pa.array(values, pa.float64())})
    work = fitted(table, numeric=options)
    np.testing.assert_allclose(matrix(work, table), make_pipeline(*parts).fit_transform(column), rtol=1e-9, atol=1e-9)


def test_impute_none_leaves_missing_values() -> None:
    table = pa.table({"x": [1.0, None, 3.0]})
    np.testing.assert_array_equal(
        matrix(fitted(table, numeric={"impute": "none"}), table),
        StandardScaler().fit_transform([[1.0], [np.nan], [3.0]]),
    )


def test_whole_numbers_with_nulls_and_columns_without_any_are_filled_at_predict() -> None:
    work = fitted(pa.table({"n": pa.array([1, 2, 6], pa.int64())}), numeric={"scale": "none"})
    assert matrix(work, pa.table({"n": pa.array([None, 4], pa.int64())})).tolist() == [[2.0], [4.0]]
    assert matrix(work, pa.table({"n": pa.nulls(2)})).tolist() == [[2.0], [2.0]]


def test_decimals_are_numbers() -> None:
    table = pa.table({"price": pa.array([Decimal("1.50"), None, Decimal("2.50")])})
    assert matrix(fitted(table, numeric={"scale": "none"}), table).tolist() == [[1.5], [2.0], [2.5]]


def test_a_constant_column_stays_finite() -> None:
    table = pa.table({"x": [4.0, 4.0], "word": ["a", "a"]})
    assert matrix(fitted(table), table).tolist() == [[0.0, 1.0], [0.0, 1.0]]


# --- categorical options ---


def test_an_unseen_category_is_all_zeros() -> None:
    work = fitted(pa.table({"w": ["a", "b"]}))
    assert matrix(work, pa.table({"w": ["b", "z", None]})).tolist() == [[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]]


def test_ordinal_numbers() -> None:
    work = fitted(pa.table({"w": ["b", "a", "c"]}), categorical={"encode": "ordinal", "impute": "none"})
    np.testing.assert_array_equal(
        matrix(work, pa.table({"w": ["c", "a", None, "z"]})), [[2.0], [0.0], [np.nan], [-1.0]]
    )
    assert work.output_names == ["w"]


def test_a_missing_category_of_its_own() -> None:
    table = pa.table({"w": ["b", None, "b"]})
    work = fitted(table, categorical={"impute": "constant"})
    assert work.output_names == ["w_b", "w_missing"]
    assert matrix(work, table).tolist() == [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    named = fitted(table, categorical={"impute": "constant", "fill_value": "?"})
    assert named.output_names == ["w_?", "w_b"]


def test_impute_none_is_no_category() -> None:
    table = pa.table({"w": ["b", None]})
    assert matrix(fitted(table, categorical={"impute": "none"}), table).tolist() == [[1.0], [0.0]]


def test_ties_fill_with_the_first_as_scikit_learn_does() -> None:
    table = pa.table({"w": ["b", "a", None, "b", "a"]})
    assert matrix(fitted(table, categorical={"encode": "ordinal"}), table)[2] == 0.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=30),
    st.sampled_from([None, 1, 2, 3, 0.2, 0.5]),
    st.sampled_from([None, 1, 2, 3, 7]),
    st.sampled_from(["onehot", "ordinal"]),
)
def test_rare_categories_are_one_by_scikit_learns_rule(
    words: list[str], min_frequency: float | None, max_categories: int | None, encode: str
) -> None:
    options: dict[str, Any] = {"min_frequency": min_frequency, "max_categories": max_categories}
    column = np.array(words, dtype=object)[:, None]
    if encode == "onehot":
        encoder: Any = OneHotEncoder(handle_unknown="ignore", sparse_output=False, **options).fit(column)
    else:
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **options).fit(column)
    table = pa.table({"w": words})
    work = fitted(table, categorical={**options, "encode": encode})
    assert work.output_names == list(encoder.get_feature_names_out(["w"]))
    np.testing.assert_array_equal(matrix(work, table), encoder.transform(column))
    assert sum(Counter(words).values()) == matrix(work, table).shape[0]


def test_dictionaries_and_strings_are_the_same() -> None:
    plain = pa.table({"w": ["b", "a", None, "b"]})
    coded = pa.table({"w": plain["w"].dictionary_encode()})
    large = pa.table({"w": plain["w"].cast(pa.large_string())})
    work = fitted(coded)
    for table in (plain, coded, large):
        np.testing.assert_array_equal(matrix(work, table), matrix(fitted(table), plain))


def test_numbers_as_categories() -> None:
    table = pa.table({"year": pa.array([2009, 2007, None], pa.int32()), "size": [0.5, float("nan"), 1.5]})
    work = fitted(table, columns={"year": {"encode": "onehot"}, "size": {"encode": "ordinal"}})
    assert work.output_names == ["year_2007", "year_2009", "size"]
    assert matrix(work, table).tolist() == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 1.0]]
    later = pa.table({"year": [2009.0, 2008.0], "size": [1.5, 0.5]})
    assert matrix(work, later).tolist() == [[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]


# --- columns ---


def test_options_by_column() -> None:
    table = pa.table(
        {"id": [7, 8, 9], "a": [1.0, 2.0, 4.0], "b": [1.0, 2.0, 4.0], "w": ["u", "v", "v"], "f": [True, False, True]}
    )
    options = {"id": "drop", "a": "passthrough", "w": {"encode": "ordinal"}, "f": {"scale": "none"}}
    work = fitted(table, numeric={"scale": "minmax"}, columns=options)
    assert work.output_names == ["a", "b", "w", "f"]
    np.testing.assert_allclose(matrix(work, table), [[1, 0, 0, 1], [2, 1 / 3, 1, 0], [4, 1, 1, 1]])


def test_columns_are_taken_by_name() -> None:
    work = fitted(PENGUINS)
    shuffled = PENGUINS.select(["tagged", "mass", "island", "bill"]).append_column("more", pa.nulls(6))
    np.testing.assert_array_equal(matrix(work, shuffled), matrix(work, PENGUINS))
    with pytest.raises(MissingColumnsError, match=r"The data to preprocess lacks the column 'mass'; it has: Mass\. "):
        fitted(pa.table({"mass": [1.0, 2.0]})).apply(rows({"Mass": [1.0]}))


# --- what is refused ---


def refusal(table: Any, **params: Any) -> str:
    with pytest.raises(FitError) as caught:
        fitted(table, **params)
    return str(caught.value)


@pytest.mark.parametrize("kind", [pa.null(), pa.float64(), pa.string(), pa.bool_()])
def test_a_column_without_values(kind: pa.DataType) -> None:
    table = pa.table({"x": [1.0, 2.0], "empty": pa.nulls(2, kind)})
    assert refusal(table) == (
        "Cannot fit sklearn.preprocess: the column 'empty' holds no value in the data set 'train'. Leave it out of the "
        "features, or say columns: {empty: drop}."
    )
    assert fitted(table, columns={"empty": "drop"}).output_names == ["x"]


@pytest.mark.parametrize("value", [datetime.datetime(2026, 1, 2), datetime.date(2026, 1, 2), b"x", [1], {"a": 1}])  # noqa: DTZ001
def test_types_that_are_neither_numbers_nor_categories(value: Any) -> None:
    message = refusal(pa.table({"x": [1.0], "when": [value]}))
    assert message.startswith("Cannot fit sklearn.preprocess: the column 'when' holds values of type ")
    assert message.endswith(
        "Make numbers or texts of it before (say the year of a date), or say columns: {when: drop}."
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"columns": {"w": "passthrough"}},
            "the column 'w' is of type string and cannot pass through into a matrix of numbers",
        ),
        (
            {"columns": {"w": {"scale": "none"}}},
            "the column 'w' is of type string and cannot be scaled. Say columns: {w: {encode: onehot}}",
        ),
        ({"columns": {"w": "drop", "x": "drop"}}, "no column is left. Drop fewer."),
        (
            {"columns": {"x": {"encode": "onehot", "impute": "constant"}}},
            "holds values of type double, and its fill_value 'missing' is none",
        ),
    ],
)
def test_options_that_do_not_fit_a_column(params: dict[str, Any], message: str) -> None:
    assert message in refusal(pa.table({"w": ["a"], "x": [1.0]}), **params)


def test_one_word_in_a_column_of_numbers() -> None:
    table = pa.table({"x": [*map(str, range(20)), "n/a"]})
    assert refusal(table) == (
        "Cannot fit sklearn.preprocess: the column 'x' holds 'n/a' among numbers. Correct it in the source, name "
        "it to the "
        "reader as a missing value, null_values: ['n/a'], or, where these are categories, say columns: "
        "{x: {encode: onehot}}."
    )
    assert len(fitted(table, columns={"x": {"encode": "onehot"}}).output_names) == 21
    assert len(fitted(pa.table({"rooms": ["1", "2", "3", "4+"]})).output_names) == 4
    assert len(fitted(pa.table({"zip": [f"{place:05}" for place in range(20)]})).output_names) == 20


def test_more_categories_than_anybody_wants() -> None:
    table = pa.table({"name": [f"n{place}" for place in range(1001)]})
    message = refusal(table)
    assert "the column 'name' has 1001 categories, which would be a column each. Say columns: {name: drop}, " in message
    assert fitted(table, columns={"name": {"encode": "ordinal"}}).output_names == ["name"]
    assert len(fitted(table, categorical={"max_categories": 2000}).output_names) == 1001
    assert len(fitted(table, categorical={"max_categories": 10}).output_names) == 10


def test_infinity() -> None:
    assert "the column 'x' cannot be scaled: Input X contains infinity" in refusal(pa.table({"x": [1.0, float("inf")]}))


def test_two_columns_of_one_name() -> None:
    table = pa.table({"w": ["a", "b"], "w_a": [1.0, 2.0]})
    assert "two of its columns would be called 'w_a'. Rename a column of the source." in refusal(table)


def test_no_rows_no_features_and_columns_that_are_not_there() -> None:
    assert "the data set 'train' has no rows" in refusal(pa.table({"x": pa.array([], pa.float64())}))
    with pytest.raises(FitError, match="the data set 'train' has no features"):
        Preprocess().fit(DataBunch({"train": DataSet({"targets": {"y": [1]}})}))
    with pytest.raises(MissingColumnsError, match=r"lacks the column 'iland'; .* Did you mean 'island'"):
        fitted(PENGUINS, columns={"iland": "drop"})


@pytest.mark.parametrize(
    ("trained", "given_", "message"),
    [
        (["a", "b"], [1, 2], "The column 'x' cannot go from int64 to string"),
        ([True, False], ["yes", "no"], "The column 'x' cannot go from string to bool"),
        ([1.0, 2.0], ["a", "b"], "The column 'x' cannot go from string to numbers: it holds none"),
    ],
)
def test_another_type_than_in_training(trained: list[Any], given_: list[Any], message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        fitted(pa.table({"x": trained})).apply(rows(pa.table({"x": given_})))


def test_whole_numbers_that_float64_does_not_hold() -> None:
    with pytest.raises(ConversionError, match="The column 'x' cannot go from int64 to float64"):
        fitted(pa.table({"x": [2**53 + 1, 5]}))


# --- the check before any work ---


@pytest.mark.parametrize(
    ("params", "path", "message"),
    [
        ({"numeric": {"imput": "mean"}}, ("numeric", "imput"), "numeric has no option 'imput'. Did you mean 'impute'?"),
        (
            {"numeric": {"impute": "medain"}},
            ("numeric", "impute"),
            "numeric.impute is 'medain': expected median, mean, most_frequent, constant, none. Did you mean 'median'",
        ),
        ({"numeric": {"fill_value": "x"}}, ("numeric", "fill_value"), "numeric.fill_value is 'x': expected a number."),
        ({"numeric": "mean"}, ("numeric",), "numeric is 'mean': expected a mapping of options."),
        (
            {"categorical": {"encode": "hot"}},
            ("categorical", "encode"),
            "categorical.encode is 'hot': expected onehot, ordinal.",
        ),
        (
            {"categorical": {"min_frequency": 1.5}},
            ("categorical", "min_frequency"),
            "expected a count from 1, or a share",
        ),
        ({"categorical": {"max_categories": 0}}, ("categorical", "max_categories"), "expected a whole number from 1."),
        (
            {"columns": {"a": "dorp"}},
            ("columns", "a"),
            "'dorp' is nothing to do with a column: expected options, drop or ",
        ),
        ({"columns": {"a": {"scale": "none", "encode": "onehot"}}}, ("columns", "a"), "cannot be scaled and encoded"),
        (
            {"columns": {"a": {"scal": "none"}}},
            ("columns", "a", "scal"),
            "columns.a has no option 'scal'. Did you mean 'scale'?",
        ),
        ({"columns": {"a": {"impute": "frequent"}}}, ("columns", "a", "impute"), "Did you mean 'most_frequent'"),
    ],
)
def test_wrong_options(params: dict[str, Any], path: tuple[str, ...], message: str) -> None:
    (fault,) = Preprocess.check_params(params)
    assert fault.path == path
    assert message in fault.message
    with pytest.raises(ArgumentsError) as caught:
        Preprocess(**params)
    assert caught.value.faults == (fault.message,)


def test_right_options_and_all_faults_at_once() -> None:
    right = {"numeric": {"impute": "mean"}, "columns": {"a": {"impute": "most_frequent"}, "b": "drop"}}
    assert list(Preprocess.check_params(right)) == []
    assert len(list(Preprocess.check_params({"numeric": {"a": 1, "b": 2}, "columns": {"c": "d"}}))) == 3


# --- save and load ---


def test_saved_and_loaded_to_the_last_bit(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    table = pa.table(
        {
            "x": generator.normal(size=50) * 1e-7,
            "n": pa.array([None, *generator.integers(0, 9, 49)], pa.int64()),
            "w": pa.array(np.array(["é", "b", "c", "d"])[generator.integers(0, 4, 50)]),
            "f": generator.random(50) > 0.5,
            "y": generator.integers(2000, 2004, 50),
        }
    )
    options = {"categorical": {"min_frequency": 5, "max_categories": 3}, "columns": {"y": {"encode": "onehot"}}}
    work = fitted(table, **options)
    work.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["preprocess.json"]
    again = Preprocess.load(tmp_path)
    assert again.columns == work.columns
    np.testing.assert_array_equal(matrix(again, table), matrix(work, table))
    assert repr(again) == repr(work)


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: "no JSON",
        lambda state: "[]",
        lambda state: json.dumps({**state, "version": 99}),
        lambda state: json.dumps({"version": 1}),
        lambda state: json.dumps({**state, "columns": [{**state["columns"][0], "kind": "odd"}]}),
        lambda state: json.dumps({**state, "columns": [{**state["columns"][0], "steps": [["fromfile", 1.0]]}]}),
        lambda state: json.dumps({**state, "columns": [{**state["columns"][0], "steps": [["add", "x"]]}]}),
        lambda state: json.dumps({**state, "columns": [{**state["columns"][0], "more": 1}]}),
    ],
)
def test_a_file_that_is_something_else(damage: Any, tmp_path: Path) -> None:
    fitted(pa.table({"x": [1.0, 2.0]})).save(tmp_path)
    file = tmp_path / "preprocess.json"
    file.write_text(damage(json.loads(file.read_text())))
    with pytest.raises(BundleFormatError, match=r"preprocess\.json is not a bundle that can be loaded: "):
        Preprocess.load(tmp_path)


def test_numbers_need_no_scikit_learn_once_fitted(tmp_path: Path) -> None:
    import subprocess
    import sys

    fitted(pa.table({"x": [1.0, 2.0], "w": ["a", "b"]})).save(tmp_path)
    code = (
        "import sys; from pathlib import Path; from mercury_sklearn.preprocess import Preprocess;"
        "from mercury_core.data import DataSet;"
        "Preprocess.load(Path(sys.argv[1])).apply(DataSet({'features': {'x': [1.0], 'w': ['b']}}));"
        "print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
