"""From a config to an estimator, and everything that can be wrong with it."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest
from mercury_sklearn.estimators import build, describe
from mercury_sklearn.fit import fit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def made(*args: Any) -> Any:
    estimator, faults = build(*args)
    assert faults == []
    return estimator


def faults(*args: Any) -> list[tuple[tuple[Any, ...], str]]:
    estimator, found = build(*args)
    assert estimator is None
    return [(fault.path, fault.message) for fault in found]


def one_fault(*args: Any) -> tuple[tuple[Any, ...], str]:
    (found,) = faults(*args)
    return found


# --- what can be said ---


@pytest.mark.parametrize(
    "given",
    [
        "Ridge",
        "sklearn.linear_model.Ridge",
        "sklearn.linear_model:Ridge",
        Ridge,
        Ridge(alpha=5),
        {"use": "Ridge"},
        {"use": "Ridge", "params": {"alpha": 7}},
    ],
)
def test_an_estimator_is_named_in_many_ways(given: Any) -> None:
    estimator = made(given, {"alpha": 2})
    assert type(estimator) is Ridge
    assert estimator.alpha == 2


def test_an_instance_is_cloned() -> None:
    given = Ridge(alpha=5).fit([[0.0], [1.0]], [0.0, 1.0])
    estimator = made(given)
    assert estimator is not given
    assert estimator.alpha == 5
    assert not hasattr(estimator, "coef_")


def test_a_list_is_a_pipeline_named_as_scikit_learn_names_its_steps() -> None:
    estimator = made([{"use": "StandardScaler"}, "StandardScaler", {"use": "LogisticRegression", "params": {"C": 3}}])
    expected = make_pipeline(StandardScaler(), StandardScaler(), LogisticRegression(C=3))
    assert [name for name, _ in estimator.steps] == [name for name, _ in expected.steps]
    assert repr(estimator) == repr(expected)
    assert describe(estimator) == "StandardScaler -> StandardScaler -> LogisticRegression"


def test_a_step_may_have_a_name_or_be_passed_through() -> None:
    estimator = made([{"use": "StandardScaler", "name": "scale"}, "passthrough", ["model", {"use": "Ridge"}]])
    assert [name for name, _ in estimator.steps] == ["scale", "passthrough", "model"]
    assert describe(estimator) == "StandardScaler -> passthrough -> Ridge"


def test_parameters_of_steps_by_scikit_learns_deep_names() -> None:
    estimator = made([{"use": "StandardScaler"}, {"use": "SVC"}], {"svc__C": 4, "memory": None})
    assert estimator.named_steps["svc"].C == 4


@pytest.mark.parametrize(
    "estimators",
    [
        [["a", {"use": "Ridge"}], ["b", {"use": "SVR", "params": {"C": 2}}]],
        {"a": {"use": "Ridge"}, "b": {"use": "SVR", "params": {"C": 2}}},
        [{"use": "Ridge", "name": "a"}, {"use": "SVR", "params": {"C": 2}, "name": "b"}],
    ],
)
def test_named_estimators(estimators: Any) -> None:
    voting = made("VotingRegressor", {"estimators": estimators})
    assert [(name, type(part).__name__) for name, part in voting.estimators] == [("a", "Ridge"), ("b", "SVR")]
    assert voting.estimators[1][1].C == 2


def test_columns_of_a_column_transformer() -> None:
    transformers = [{"use": "OneHotEncoder", "columns": ["town"]}, ["numbers", "passthrough", ["age"]]]
    estimator = made("ColumnTransformer", {"transformers": transformers})
    assert [(name, columns) for name, _, columns in estimator.transformers] == [
        ("onehotencoder", ["town"]),
        ("numbers", ["age"]),
    ]
    mapping = {"towns": {"use": "OneHotEncoder", "columns": ["town"]}}
    assert made("ColumnTransformer", {"transformers": mapping}).transformers[0][0] == "towns"


def test_estimators_nest_as_deep_as_needed() -> None:
    params = {
        "estimator": {"use": "BaggingClassifier", "params": {"estimator": {"use": "SVC", "params": {"C": 3}}}},
        "param_grid": {"n_estimators": [2, 3]},
        "cv": {"use": "StratifiedKFold", "params": {"n_splits": 2}},
    }
    search = made("GridSearchCV", params)
    assert search.estimator.estimator.C == 3
    assert search.cv.n_splits == 2
    assert (
        made("GaussianProcessRegressor", {"kernel": {"use": "RBF", "params": {"length_scale": 2}}}).kernel.length_scale
        == 2
    )


def test_what_yaml_cannot_say_is_made_of_what_it_can() -> None:
    assert made("RobustScaler", {"quantile_range": [10, 90]}).quantile_range == (10, 90)
    assert made("FunctionTransformer", {"func": "numpy:log1p"}).func is np.log1p
    assert made("MLPClassifier", {"hidden_layer_sizes": [5, 3]}).hidden_layer_sizes == [5, 3]


def test_an_experimental_estimator_needs_no_import_of_ones_own() -> None:
    assert type(made("IterativeImputer")).__name__ == "IterativeImputer"


@pytest.mark.parametrize("estimator", [["StandardScaler", "Ridge"], Ridge(), "sklearn.linear_model.Ridge"])
def test_the_check_finds_nothing_wrong(estimator: Any) -> None:
    assert list(fit.check_params({"estimator": estimator})) == []


# --- what can be wrong ---


def test_an_estimator_that_does_not_exist() -> None:
    path, message = one_fault("LogisticRegresion")
    assert path == ("estimator",)
    assert message.startswith("There is no estimator 'LogisticRegresion' in scikit-learn ")
    assert "Did you mean 'LogisticRegression' or" in message
    assert "package.module.Class" in message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package.Model", "The estimator 'no_such_package.Model' cannot be imported: ModuleNotFoundError: "),
        ("sklearn.linear_model.Ridg", "The module sklearn.linear_model has no class 'Ridg'. Did you mean 'Ridge'"),
        ("json:dumps", "The module json has no class 'dumps'."),
        (3, "3 is no estimator: expected a class name as LogisticRegression, an import path as package.module.Class, "),
        ([], "The list of steps is empty: name at least one"),
        ({"params": {}}, "An estimator given as a mapping needs 'use', its class name: {use: NAME, params: {...}}."),
        ({"use": "Ridge", "params": 3}, "params is 3: expected a mapping from parameter to value."),
    ],
)
def test_nothing_that_could_be_an_estimator(name: Any, message: str) -> None:
    assert one_fault(name)[1].startswith(message)


def test_all_faults_at_once_with_their_paths() -> None:
    estimator = [{"use": "StandardScalar"}, {"use": "LogisticRegression", "params": {"C": -1, "max_itr": 5}}]
    found = dict(faults(estimator, {"memry": None}))
    assert list(found) == [
        ("estimator", 0, "use"),
        ("estimator", 1, "params", "C"),
        ("estimator", 1, "params", "max_itr"),
        ("params", "memry"),
    ]
    assert "Did you mean 'StandardScaler'" in found["estimator", 0, "use"]
    expected = "The 'C' parameter of LogisticRegression must be a float in the range (0.0, inf]. Got -1 instead."
    assert found["estimator", 1, "params", "C"] == expected
    assert (
        found["estimator", 1, "params", "max_itr"]
        == "LogisticRegression has no parameter 'max_itr'. Did you mean 'max_iter'?"
    )
    assert found["params", "memry"] == "Pipeline has no parameter 'memry'. Did you mean 'memory'?"


def test_paths_of_nested_estimators() -> None:
    path, message = one_fault("AdaBoostClassifier", {"estimator": {"use": "SVC", "params": {"kernl": "rbf"}}})
    assert path == ("params", "estimator", "params", "kernl")
    assert message == "SVC has no parameter 'kernl'. Did you mean 'kernel'?"
    path, message = one_fault("VotingClassifier", {"estimators": {"a": {"use": "SVC", "param": {}}}})
    assert path == ("params", "estimators", "a", "param")
    assert message == "An estimator has no key 'param': expected use and params. Did you mean 'params'?"
    assert one_fault("VotingClassifier", {"estimators": [["a", "SVX"]]})[0] == ("params", "estimators", 0, 1)


def test_a_value_that_an_instance_refuses() -> None:
    assert one_fault(Ridge(), {"alpha": -3})[0] == ("params", "alpha")
    path, message = one_fault(["StandardScaler", "SVC"], {"svc__kern": "rbf"})
    assert path == ("params", "svc__kern")
    assert "Did you mean 'svc__kernel'" in message
    assert one_fault(["StandardScaler", "SVC"], {"svc__C": -1})[1].startswith(
        "The 'C' parameter of SVC must be a float"
    )


def test_a_missing_parameter() -> None:
    assert one_fault("VotingClassifier") == (("params",), "VotingClassifier needs the parameter 'estimators'.")


def test_a_constructor_that_fails() -> None:
    class Picky:
        def __init__(self, size: int = 1) -> None:
            raise ValueError("sizes are odd")

    assert one_fault(Picky)[1] == "Picky cannot be made: ValueError: sizes are odd."


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        ("PCA", "PCA transforms and predicts nothing: use it in sklearn.transform, or in a list before an estimator."),
        (["StandardScaler"], "StandardScaler transforms and predicts nothing: "),
        ("DBSCAN", "DBSCAN labels only the rows that it is fitted on and predicts no others: "),
        (types.SimpleNamespace, "SimpleNamespace has no method predict: expected an estimator."),
    ],
)
def test_the_check_refuses_what_predicts_nothing(estimator: Any, message: str) -> None:
    (fault,) = fit.check_params({"estimator": estimator})
    assert fault.path == ("estimator",)
    assert fault.message.startswith(message)


@pytest.mark.parametrize("kind", ["StackingClassifier", "StackingRegressor"])
def test_a_stack_predicts_though_it_does_not_say_so_before_it_is_fitted(kind: str) -> None:
    base = "LogisticRegression" if kind.endswith("Classifier") else "Ridge"
    stack = {"use": kind, "params": {"estimators": [{"use": base}]}}
    assert list(fit.check_params({"estimator": stack})) == []
    assert list(fit.check_params({"estimator": ["StandardScaler", stack]})) == []
    assert (
        list(fit.check_params({"estimator": {"use": "GridSearchCV", "params": {"estimator": stack, "param_grid": {}}}}))
        == []
    )


def test_the_check_says_what_is_wrong_without_data() -> None:
    (fault,) = fit.check_params({"estimator": "Ridge", "params": {"alfa": 2}})
    assert fault.path == ("params", "alfa")


def test_building_twice_gives_equals_that_share_nothing() -> None:
    config = [{"use": "StandardScaler"}, {"use": "LogisticRegression"}]
    first, second = made(config), made(config)
    assert first.steps[1][1] is not second.steps[1][1]
    assert repr(clone(first)) == repr(second)
