from __future__ import annotations

from pathlib import Path

import pytest

from mercury_core.errors import WorkflowFileError
from mercury_core.workflow.values import Values, read_values

TEXT = """\
vars: {seed: 7, dir: data, token: "${oc.env:THE_TOKEN,none}"}
read:
  penguins: {use: csv, source: "${vars.dir}"}
fit:
  use: sklearn.fit
  params: {seed: "${vars.seed}", note: "seed ${vars.seed} of ${run.id}", all: "${vars}"}
save:
  - {path: a}
  - {path: b}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("THE_TOKEN", raising=False)
    Path("flows").mkdir()
    return tmp_path


def values(*overrides: str, text: str = TEXT) -> Values:
    Path("flows/w.yaml").write_text(text)
    return read_values("flows/w.yaml", overrides)


def faults(found: Values) -> list[str]:
    with pytest.raises(WorkflowFileError) as caught:
        found.raise_faults()
    return list(caught.value.faults)


def test_references_keep_the_type_of_what_they_refer_to() -> None:
    found = values()
    params = found.resolved({"id": "R", "dir": "D"})["fit"]["params"]
    assert params == {"seed": 7, "note": "seed 7 of R", "all": {"seed": 7, "dir": "data", "token": "none"}}
    assert found.data["fit"]["params"]["seed"] == "${vars.seed}"
    found.raise_faults()


def test_a_file_without_references_needs_no_omegaconf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "omegaconf", None)  # importing it would raise
    found = values(text="vars: {seed: 7}\n")
    assert found.resolved() == {"vars": {"seed": 7}}


def test_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_TOKEN", "abc")
    assert values().resolved()["vars"]["token"] == "abc"


def test_references_that_lead_nowhere_are_all_found_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_BUCKET", "b")
    text = 'vars: {seed: 7}\nfit:\n  a: "${vars.sed}"\n  b: "x ${oc.env:THE_BUKET}"\n'
    text += '  c: "${fit.d}"\n  d: "${fit.c}"\n  e: "${oops:1}"\n'
    found = values(text=text)
    found.resolved()
    said = faults(found)
    assert (
        said[0] == "flows/w.yaml:3:6: ${vars.sed} refers to nothing in this file. Did you mean 'vars.seed' or 'vars'?"
    )
    assert said[1] == (
        "flows/w.yaml:4:6: ${oc.env:THE_BUKET} needs the environment variable THE_BUKET, which is not set: set it, or "
        "write ${oc.env:THE_BUKET,default}. Did you mean 'THE_BUCKET'?"
    )
    assert said[2] == "flows/w.yaml:5:6: ${fit.d} refers to itself."
    assert said[3] == "flows/w.yaml:6:6: ${fit.c} refers to itself."
    assert said[4].startswith("flows/w.yaml:7:6: ${oops:1} cannot be filled in: ")
    assert len(said) == 5


def test_a_malformed_reference_is_a_fault() -> None:
    found = values(text='vars: {a: "${vars.", b: "${vars.a"}\n')
    found.resolved()
    said = faults(found)
    assert [line.split(": ")[0] for line in said] == ["flows/w.yaml:1:11", "flows/w.yaml:1:25"]
    assert all(" is no reference as ${vars.name} or ${oc.env:NAME}: " in line for line in said)


def test_what_was_not_filled_in_has_one_fault_only() -> None:
    found = values(text='fit: {a: "${vars.x}"}\n')
    found.resolved()
    found.fault(("fit", "a"), "expected a number")
    assert len(faults(found)) == 1


def test_overrides_set_values_of_any_kind_and_the_last_one_counts() -> None:
    found = values(
        "vars.seed=1", "vars.seed=2", "save.1.path=c", "fit.params={x: [1]}", "fit.estimator=Ridge", "name=n"
    )
    found.raise_faults()
    assert found.data["vars"]["seed"] == 2
    assert found.data["save"] == [{"path": "a"}, {"path": "c"}]
    assert found.data["fit"] == {"use": "sklearn.fit", "params": {"x": [1]}, "estimator": "Ridge"}
    assert found.data["name"] == "n"
    assert found.source.data["vars"]["seed"] == 7  # as written stays as written


def test_an_override_does_not_reach_what_shares_an_anchor() -> None:
    found = values("a.x=2", text="a: &a {x: 1}\nb: *a\n")
    assert found.data == {"a": {"x": 2}, "b": {"x": 1}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("vars.sed=1", "command line: vars.sed: The file has no 'sed' in vars. Did you mean 'seed'?"),
        (
            "read.pengins.use=x",
            "command line: read.pengins.use: The file has no 'pengins' in read. Did you mean 'penguins'?",
        ),
        ("save.2.path=x", "command line: save.2.path: save is a list: expected a number from 0 to 1."),
        ("fit.use.x=1", "command line: fit.use.x: fit.use is a single value and has no 'x' in it."),
        (
            "vars.seed",
            "command line: vars.seed: This is no override: expected key.path=value, as fit.params.max_iter=200.",
        ),
        ("=1", "command line: : This is no override: expected key.path=value, as fit.params.max_iter=200."),
        (
            "vars.seed=[1",
            "command line: vars.seed: This is not YAML: while parsing a flow sequence did not find expected ',' or "
            "']'.",
        ),
        (
            "vars.seed={a: 1, a: 2}",
            "command line: vars.seed: The key 'a' stands here a second time, first in line 1: keep one of them.",
        ),
    ],
)
def test_an_override_with_nothing_to_override_is_a_fault(override: str, message: str) -> None:
    assert faults(values(override)) == [message]


def test_faults_of_what_an_override_wrote_are_on_the_command_line_and_come_last() -> None:
    found = values("fit.params.max_itr=3", "vars.seed=x")
    found.fault(("fit", "params", "max_itr"), "no such parameter", key=True)
    found.fault(("fit", "params", "seed"), "in the file")
    found.fault(("vars", "seed"), "not a number")
    assert faults(found) == [
        "flows/w.yaml:6:18: in the file",
        "command line: fit.params.max_itr: no such parameter",
        "command line: vars.seed: not a number",
    ]


def test_paths_are_relative_to_where_they_were_written(here: Path) -> None:
    assert values().base(("read", "penguins", "source")) == here / "flows"
    assert values("read.penguins.source=x").base(("read", "penguins", "source")) == here
    assert values("vars.dir=x").base(("read", "penguins", "source")) == here  # through ${vars.dir}
    assert values("vars.seed=1").base(("read", "penguins", "source")) == here / "flows"
