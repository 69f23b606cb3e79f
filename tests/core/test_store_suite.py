"""The suite for stores finds what is wrong with one: each store of store_mutants* has one fault."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from mercury_core.contracts import ConditionalStore, LevelStore, MultipartStore
from mercury_core.testing import StoreSuite
from tests.conftest import Site
from tests.core import store_mutants, store_mutants_abilities, store_mutants_many  # noqa: F401 — they note their faults
from tests.core.store_faults import FOUND_BY
from tests.core.store_suites import MemorySuite

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]

HOOKS = """
    from mercury_core import Provider, hookimpl

    @hookimpl
    def mercury_copy():
        return [Provider("mem", "tests.core.store_faults:provide", "A store under test")]
    """

FILE = """
    import pytest

    from mercury_core.builtin.disk import FileStore
    from tests.core import store_faults, store_mutants, store_mutants_abilities, store_mutants_many
    from tests.core.store_suites import DiskSuite, MemorySuite, MemoryStore

    class Provided:
        @pytest.fixture(autouse=True)
        def _provided(self):
            store_faults.current.store_class = self.store_class

    class TestWhole(Provided, MemorySuite):
        pass

    class TestWaived(Provided, MemorySuite):
        waivers = {
            "test_long_names": "this one passes, and a waiver must not",
            "test_open_reads_ranges[3-7]": "",
            "test_no_such": "it is not there",
        }

    for mutant in store_faults.FOUND_BY:
        suite = DiskSuite if issubclass(mutant, FileStore) else MemorySuite
        globals()[f"Test{mutant.__name__}"] = type(mutant.__name__, (Provided, suite), {"store_class": mutant})
    """


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, set[str]]]:
    """For each class of tests, by the name of a test without its case, how it ended: passed, failed or error."""
    home = tmp_path_factory.mktemp("mutants")
    site = Site(home / "site", home / "cache")
    site.install("mem-store", {"mem_store/hooks.py": HOOKS}, {"mem": "mem_store.hooks"})
    (home / "test_mutants.py").write_text(textwrap.dedent(FILE))
    (home / "pytest.ini").write_text("[pytest]\nxfail_strict = true\n")
    chosen = [f"test_mutants.py::Test{mutant.__name__}::{test}" for mutant, tests in FOUND_BY.items() for test in tests]
    waived = [
        f"test_mutants.py::TestWaived::{test}"
        for test in ("test_long_names", "test_open_reads_ranges", "test_each_waiver_has_a_reason_and_names_a_test")
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MERCURY_", "PYTEST_", "COV_"))}
    plain = ("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", "-W", "error")
    told = ("-q", "--import-mode=importlib", "--tb=line", "--junitxml=told.xml")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plain, *told, "test_mutants.py::TestWhole", *waived, *chosen],
        cwd=home,
        env={**kept, "PYTHONPATH": os.pathsep.join([str(site.path), str(ROOT)]), "MERCURY_CACHE_DIR": str(site.cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    found: dict[str, dict[str, set[str]]] = {}
    for case in ElementTree.parse(home / "told.xml").iter("testcase"):
        of = found.setdefault(case.attrib["classname"].rpartition(".")[2], {})
        kinds = {child.tag for child in case if child.tag in ("failure", "error", "skipped")} or {"passed"}
        of.setdefault(case.attrib["name"].partition("[")[0], set()).update(kinds)
    return found


def test_a_store_without_fault_passes_all_of_it(outcomes: Mapping[str, Mapping[str, set[str]]]) -> None:
    whole = outcomes["TestWhole"]
    assert {name: kinds for name, kinds in whole.items() if kinds != {"passed"}} == {}
    declared = {name for name in dir(MemorySuite) if name.startswith("test_") and getattr(MemorySuite, name)}
    assert set(whole) == declared
    assert len(whole) > 50


@pytest.mark.parametrize(
    ("mutant", "test"),
    [(mutant.__name__, test) for mutant, tests in FOUND_BY.items() for test in tests],
)
def test_a_fault_is_found(outcomes: Mapping[str, Mapping[str, set[str]]], mutant: str, test: str) -> None:
    assert "failure" in outcomes[f"Test{mutant}"][test]


def test_every_test_of_the_suite_finds_some_fault() -> None:
    finding = {test for tests in FOUND_BY.values() for test in tests}
    every = {name for name in dir(StoreSuite) if name.startswith("test_")}
    assert every - finding - {"test_each_waiver_has_a_reason_and_names_a_test"} == set()


def test_a_waiver_must_fail_have_a_reason_and_name_a_test(outcomes: Mapping[str, Mapping[str, set[str]]]) -> None:
    waived = outcomes["TestWaived"]
    assert waived["test_long_names"] == {"failure"}  # it passed
    assert waived["test_open_reads_ranges"] == {"failure", "passed"}  # that case passed as well
    assert waived["test_each_waiver_has_a_reason_and_names_a_test"] == {"failure"}


def test_tests_of_abilities_are_there_where_they_are_declared() -> None:
    class None_(StoreSuite):
        pass

    class Some(StoreSuite):
        abilities = (MultipartStore, LevelStore)

    class More(Some):
        abilities = (*Some.abilities, ConditionalStore)

    of = {
        each: {name for name in dir(each) if name.startswith("test_") and getattr(each, name)}
        for each in (None_, Some, More)
    }
    assert "test_one_of_many_creates" not in of[Some]
    assert "test_one_of_many_uploads_creates" not in of[Some]
    assert {"test_one_of_many_creates", "test_one_of_many_uploads_creates"} <= of[More] - of[Some]
    assert "test_uploads_to_one_object_do_not_mix" in of[Some] - of[None_]
    assert "test_a_level_has_what_is_directly_below" in of[Some] - of[None_]
    assert "test_put_writes_an_object_and_tells_of_it" in of[None_]


def test_a_test_of_an_ability_may_be_overridden_and_called(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(StoreSuite, "test_one_of_many_creates", lambda self, base: called.append(base))

    class Own(StoreSuite):
        abilities = (ConditionalStore,)

        def test_one_of_many_creates(self, base: str) -> None:
            super().test_one_of_many_creates(base)

    Own().test_one_of_many_creates("mem://bucket")
    assert called == ["mem://bucket"]


def test_what_an_author_must_give_is_said() -> None:
    suite = StoreSuite()
    for give in (
        suite.make_store,
        suite.make_base,
        lambda: suite.raw_put("x", b""),
        lambda: suite.raw_get("x"),
        lambda: suite.raw_list("x"),
    ):
        with pytest.raises(NotImplementedError, match=r"\w+\(\) is to "):
            give()
    assert list(suite.raw_leftovers("x")) == []
    assert suite.out_of_reach() is None
    assert suite.settings() == {}
