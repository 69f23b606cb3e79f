"""The table of class names is complete, right, and cheap to have."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
from mercury_sklearn.names import ESTIMATORS, EXPERIMENTAL, MODULES
from sklearn.utils import all_estimators


def test_every_estimator_of_the_installed_scikit_learn_is_named() -> None:
    missing = {name for name, _ in all_estimators()} - ESTIMATORS.keys()
    assert missing == set()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_name_leads_to_its_class(name: str) -> None:
    if name in EXPERIMENTAL:
        importlib.import_module(EXPERIMENTAL[name])
    found = getattr(importlib.import_module(MODULES[name]), name)
    assert found.__name__ == name
    assert found.__module__.startswith("sklearn.")


def test_modules_are_public() -> None:
    assert [module for module in MODULES.values() if "._" in module] == []


def test_hooks_and_names_import_no_scikit_learn() -> None:
    code = (
        "import sys, mercury_sklearn.hooks as hooks, mercury_sklearn.names;"
        "records = [*hooks.mercury_read(), *hooks.mercury_transform(), *hooks.mercury_fit(),"
        " *hooks.mercury_evaluate(), *hooks.mercury_save()];"
        "print(len(records), sorted({'sklearn', 'numpy', 'skops', 'pandas', 'pyarrow', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, _, heavy = done.stdout.strip().partition(" ")
    assert int(count) > 50
    assert heavy == "[]"


def test_every_record_leads_to_its_provider() -> None:
    from mercury_sklearn import hooks

    records = [*hooks.mercury_read(), *hooks.mercury_transform(), *hooks.mercury_fit(), *hooks.mercury_save()]
    for record in [*records, *hooks.mercury_evaluate()]:
        module, _, name = record.target.partition(":")
        assert callable(getattr(importlib.import_module(module), name)) or record.key == "sklearn.skops"
        assert record.summary
