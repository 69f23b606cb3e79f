from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mercury_core.errors import WorkflowFileError
from mercury_core.workflow import CheckedWorkflow, check_workflow

P = "workflow_parts"
GOOD = f"""\
read:
  d: {{use: "{P}:table", source: d.txt, roles: {{index: id, features: [a], targets: [y]}}}}
transform:
  - {{use: "{P}:halves", from: d, into: {{train: 1, test: 1}}}}
  - {{use: "{P}:Shift", by: 2.0}}
fit: {{use: "{P}:mean", add: 1.0}}
evaluate: {{data: test, metrics: ["{P}:gap"]}}
save: {{use: "{P}:mean_format", path: models/m}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])
    Path("d.txt").write_text("x")
    return tmp_path


def check(text: str, *overrides: str) -> CheckedWorkflow:
    Path("w.yaml").write_text(text)
    return check_workflow("w.yaml", overrides)


def faults(text: str, *overrides: str) -> list[str]:
    with pytest.raises(WorkflowFileError) as caught:
        check(text, *overrides)
    assert caught.value.exit_code == 2
    assert str(caught.value) == "\n".join(caught.value.faults)
    return list(caught.value.faults)


def place(text: str, needle: str) -> str:
    """Where something stands in a file, as it is shown; found without a parser of YAML."""
    before = text[: text.index(needle)]
    return f"w.yaml:{before.count(chr(10)) + 1}:{len(before) - (before.rfind(chr(10)) + 1) + 1}"


def test_a_good_file_becomes_steps_in_order(here: Path) -> None:
    checked = check(GOOD)
    assert checked.name == "w"
    assert [step.name for step in checked.workflow.steps] == [
        "read.d",
        "transform.0",
        "transform.1",
        "fit",
        "evaluate",
        "save",
    ]
    assert checked.workflow.steps[0].source == str(here / "d.txt")
    assert checked.workflow.steps[-1].path == str(here / "models/m")
    assert not Path("models").exists()


def test_paths_are_relative_to_the_file_and_overrides_to_the_working_directory(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("w.yaml").write_text(GOOD)
    (here / "sub").mkdir()
    (here / "sub/e.txt").write_text("x")
    monkeypatch.chdir(here / "sub")
    checked = check_workflow("../w.yaml", ["read.d.source=e.txt"])
    assert checked.workflow.steps[0].source == str(here / "sub/e.txt")
    assert checked.workflow.steps[-1].path == str(here / "models/m")


def test_parameters_that_are_paths_by_their_hints_are_placed_like_all_paths(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = f'fit: {{use: "{P}:told_mean", notes: notes.txt, title: notes.txt}}'
    Path("w.yaml").write_text(GOOD.replace(f'fit: {{use: "{P}:mean", add: 1.0}}', fit))
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    (step,) = check_workflow("../w.yaml").workflow.of("fit")
    assert step.params == {"notes": str(here / "notes.txt"), "title": "notes.txt"}
    (step,) = check_workflow("../w.yaml", ["fit.notes=mine.txt"]).workflow.of("fit")
    assert step.params["notes"] == str(here / "sub/mine.txt")
    (step,) = check_workflow("../w.yaml", ["fit.notes=s3://b/notes.txt"]).workflow.of("fit")
    assert step.params["notes"] == "s3://b/notes.txt"


def test_a_module_beside_the_file_can_be_named(here: Path) -> None:
    (here / "own_steps_of_test.py").write_text("def same(data_set):\n    return data_set\n")
    check(GOOD.replace(f'  - {{use: "{P}:Shift", by: 2.0}}', '  - {use: "own_steps_of_test:same"}'))


def test_all_faults_come_at_once_in_the_order_of_the_file() -> None:
    text = f"""\
vars: {{seed: 7}}
read:
  d: {{use: "{P}:table", source: missing.txt, row: 3}}
transfrom: []
transform:
  - {{use: nosuch, from: d}}
fit: {{use: "{P}:mean", add: "${{vars.sed}}", use: "{P}:mean"}}
evaluate: {{data: [tset], metrics: [{{use: "{P}:gap", power: high}}]}}
save: {{use: "{P}:mean_format", model: other}}
"""
    found = faults(text)
    needles = ["missing.txt", "row:", "transfrom", "nosuch", '"${', f'use: "{P}:mean"}}', "power", "save", "other"]
    assert [line.split(": ")[0] for line in found] == [place(text, needle) for needle in needles]
    assert (
        found[1].partition(": ")[2]
        == "The provider 'workflow_parts:table' has no parameter 'row'. Did you mean 'rows'?"
    )
    assert found[2].partition(": ")[2] == "A workflow has no stage 'transfrom'. Did you mean 'transform'?"
    assert (
        found[4].partition(": ")[2] == "${vars.sed} refers to nothing in this file. Did you mean 'vars.seed' or 'vars'?"
    )
    assert found[6].partition(": ")[2] == "The parameter 'power' of 'workflow_parts:gap' must be int: got str."
    assert found[7].partition(": ")[2] == "A step of save needs `path`, where to save."
    assert found[8].partition(": ")[2] == "No step of fit is called 'other'. There are: model."


@pytest.mark.parametrize(
    ("old", "new", "needle", "message"),
    [
        ("add: 1.0", "ad: 1", "ad: 1", "The provider 'workflow_parts:mean' has no parameter 'ad'. Did you mean 'add'?"),
        ("add: 1.0", "add: 90", "add:", "Ninety is too much to add."),
        ("from: d,", "from: e,", "e,", "There is no data set 'e' here. There are: d."),
        ("from: d,", "from: [d, e],", "e],", "There is no data set 'e' here. There are: d."),
        (
            "train: 1, test: 1",
            "tran: 1, test: 1",
            f'{{use: "{P}:Shift"',
            "There is no data set 'train' here, and 'workflow_parts:Shift' is fitted on it; there are: tran, test. "
            "Split one, or name a source 'train'.",
        ),
        (
            "by: 2.0",
            "from: test",
            "from: test",
            "'workflow_parts:Shift' is applied to every data set: `from` is for functions on the whole bunch.",
        ),
        ("data: test", "data: [train, tost]", "tost", "There is no data set 'tost' here. Did you mean 'test'?"),
        (
            f'["{P}:gap"]',
            f'["{P}:gap" , "{P}:gap"]',
            f'"{P}:gap"]',
            "The metric 'workflow_parts:gap' is asked for twice: give one of them another `name`.",
        ),
        (
            f'["{P}:gap"]',
            "[]",
            "[]}",
            "A step of evaluate needs `metrics`, a list of keys; `mercury-ml providers evaluate` lists them.",
        ),
        (
            f'["{P}:gap"]',
            "[{name: x}]",
            "{name",
            "Expected the key of a metric, or {use: KEY, name: …} with its parameters.",
        ),
        ("data: test", "date: test", "date", "A step of evaluate has no 'date'. Did you mean 'data'?"),
        (
            f'"{P}:mean_format"',
            "json",
            "json",
            "'json' writes tables and dicts, not models: choose a format of models.",
        ),
        (
            "path: models/m",
            "path: models/m, overwrite: yes",
            "yes",
            "Expected error, skip or replace; found 'yes'.",
        ),
        ("path: models/m", "path: [m]", "[m]", "`path` is text; found a list."),
        (
            "path: models/m",
            "path: d.txt",
            "d.txt}",
            "The step read.d reads {here}/d.txt: writing here would destroy it.",
        ),
        ("features: [a]", "features: [b]", "b]", "{here}/d.txt has no column 'b'. It has: id, a, y."),
        ("index: id", "index: idd", "idd", "{here}/d.txt has no column 'idd'. Did you mean 'id'?"),
        (
            "index: id",
            "index: a",
            "{index",
            "The column 'a' is in the roles 'index' and 'features': a column has one role, once.",
        ),
        ("source: d.txt", "source: e.txt", "e.txt", "There is no file {here}/e.txt. Did you mean 'd.txt'?"),
        (
            "source: d.txt",
            "source: x/e.txt",
            "x/e.txt",
            "There is no file {here}/x/e.txt. There is no directory {here}/x either.",
        ),
        (
            f'fit: {{use: "{P}:mean", ',
            "fit: {",
            "fit:",
            "A step of fit needs `use`, the key of a provider; `mercury-ml providers fit` lists them.",
        ),
        (
            f"{P}:Shift",
            "to.pandas",
            '"to.pandas',
            "'to.pandas' converts one wrapper, as in data_set.features.to('pandas'), and transforms no data set.",
        ),
        (f'"{P}:mean"', "5", "5, add", "`use` is text; found 5."),
    ],
)
def test_one_fault(here: Path, old: str, new: str, needle: str, message: str) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new)
    found = faults(text)
    assert f"{place(text, needle)}: {message.replace('{here}', str(here))}" in found
    # A path that is read and written is two faults, since it exists as well.
    assert len(found) == (2 if "destroy" in message else 1)


def test_a_reader_of_names_takes_no_paths(here: Path) -> None:
    text = GOOD.replace(f"{P}:table", f"{P}:named")
    assert check(text.replace("source: d.txt", "source: small")).workflow.steps[0].source == "small"
    assert faults(text.replace("source: d.txt", "source: smal")) == [
        f"{place(GOOD, 'd.txt')}: The reader 'workflow_parts:named' has no source 'smal'. Did you mean 'small'?"
    ]


def test_a_reader_that_fails_on_the_schema_is_a_fault_of_the_source(here: Path) -> None:
    Path("d.txt").write_text("")
    said = f"The reader 'workflow_parts:table' cannot tell the columns of {here}/d.txt: ValueError: nothing in it"
    assert faults(GOOD) == [f"{place(GOOD, 'd.txt')}: {said}"]


def test_a_function_on_the_bunch_of_which_nothing_is_known_ends_the_check_of_names() -> None:
    text = GOOD.replace(f'{{use: "{P}:halves", from: d, into: {{train: 1, test: 1}}}}', f'{{use: "{P}:mixed"}}')
    check(text)


def test_two_steps_may_not_write_the_same(here: Path) -> None:
    save = f'save: [{{use: "{P}:mean_format", path: m}}, {{use: "{P}:mean_format", path: m/x}}]\ncopy: {{to: m}}\n'
    text = GOOD[: GOOD.index("save:")] + save
    found = faults(text)
    said = f"The step save.0 writes {here}/m, which {here}/m/x lies in, already: choose another path."
    assert f"{place(text, 'm/x')}: {said}" in found
    assert f"w.yaml:9:12: The step save.0 writes {here}/m already: choose another path." in found


def test_what_exists_is_found_before_any_work(here: Path) -> None:
    Path("models/m").mkdir(parents=True)
    said = f"{here}/models/m exists already: add `overwrite: replace` (or skip), or put ${{run.id}} in the path."
    assert faults(GOOD) == [f"{place(GOOD, 'models/m')}: {said}"]
    replacing = GOOD.replace("path: models/m", "path: models/m, overwrite: replace")
    check(replacing)  # an empty directory
    Path("models/m/precious.txt").write_text("mine")
    said = f"{here}/models/m exists and is no bundle: Mercury replaces bundles only, so choose another path."
    assert faults(replacing) == [f"{place(GOOD, 'models/m')}: {said}"]
    Path("models/m/mercury.json").write_text("{}")
    check(replacing)


def test_what_cannot_be_written_is_found_before_any_work(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("models").write_text("a file")
    assert faults(GOOD) == [
        f"{place(GOOD, 'models/m')}: {here}/models/m cannot be made, since {here}/models is no directory."
    ]
    Path("models").unlink()
    # Where the tests run as root, everything may be written; so it is asked here what would be answered elsewhere.
    import os

    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: access(path, mode) and not (mode & os.W_OK))
    said = f"{here}/models/m cannot be made, since {here} may not be written to: choose another path."
    assert faults(GOOD) == [f"{place(GOOD, 'models/m')}: {said}"]
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("d.txt"))
    assert faults(GOOD) == [
        f"{place(GOOD, 'd.txt')}: The file {here}/d.txt may not be read: give yourself the permission."
    ]


def test_several_models_have_to_be_told_apart() -> None:
    fit = f'fit: {{a: {{use: "{P}:mean"}}, b: {{use: "{P}:mean"}}}}'
    text = GOOD.replace(f'fit: {{use: "{P}:mean", add: 1.0}}', fit)
    assert faults(text) == ["w.yaml:8:1: There are several models: say which with `model`: a, b."]
    check(text.replace("path:", "model: b, path:"))
    assert faults(text.replace("path:", "model: c, path:")) == [
        "w.yaml:8:50: No step of fit is called 'c'. There are: a, b."
    ]


def test_one_step_serves_what_is_saved_or_loaded() -> None:
    serve = f'serve: {{use: "{P}:server", port: 5}}\n'
    assert check(GOOD + serve).workflow.serve[0].params == {"port": 5}
    text = GOOD[: GOOD.index("save:")]
    assert faults(text + serve) == ["w.yaml:8:1: There is nothing to serve: add `save`, or `load: URI`."]
    assert faults(GOOD + serve.replace("5", "500000")) == ["w.yaml:9:39: There is no port 500000."]
    twice = f'serve: {{a: {{use: "{P}:server"}}, b: {{use: "{P}:server"}}}}\n'
    assert faults(GOOD + twice) == ["w.yaml:9:44: A workflow is served by one step: leave this one out."]
    assert faults(GOOD + serve.replace("port", "trust")) == ["w.yaml:9:46: `trust` is true or false; found 5."]


def test_copies_need_something_to_copy_and_a_place_of_its_own() -> None:
    text = GOOD[: GOOD.index("save:")]
    assert faults(text + "copy: {to: there}\n") == ["w.yaml:8:1: There is nothing to copy: add `save`, or `load: URI`."]
    saves = f'save: {{a: {{use: "{P}:mean_format", path: a}}, b: {{use: "{P}:mean_format", path: b}}}}\n'
    assert faults(text + saves + "copy: {to: there}\n") == [
        "w.yaml:9:12: 2 saved models would go to one place: say which with `model`, or end `to` with '/'."
    ]
    check(text + saves + "copy: {to: there/}\n")
    check(text + saves + "copy: {from: a, to: there}\n")
    assert faults(text + saves + "copy: {from: c, to: there}\n") == [
        "w.yaml:9:14: No step of save is called 'c'. There are: a, b, save.a, save.b."
    ]
    assert faults(text + saves + "copy: {from: a, to: 'nosuch://there'}\n")[0].startswith(
        "w.yaml:9:21: No provider 'nosuch' for 'copy'."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\n", "1:1: A workflow begins with `read`, or with `load: URI`; this file has neither."),
        ("read: csv\n", "1:7: Expected a step of read, as {source: PATH, …}; found the text 'csv'."),
        ("read: []\n", "1:7: The stage read has no step: give it one, or leave it out."),
        ("read:\n", "1:6: Expected a step of read, as {source: PATH, …}; found nothing."),
        ("evaluate: f1\n", "1:11: Expected a step of evaluate, as {metrics: [KEY, …]}; found the text 'f1'."),
        ("fit: svc\n", "1:6: Expected a step of fit, as {use: KEY, …}; found the text 'svc'."),
        ("read: {a: {use: csv}}\n", "1:8: A step of read needs `source`, a path or a URI."),
        ("load: 5\n", "1:7: Expected a step of load, as {uri: URI}; found 5."),
        ("load: m\nfit: {use: x}\n", "1:1: `load` takes the place of `fit`: keep one of them."),
        ("load: m\nvars: [a]\n", "2:7: Expected a mapping from name to value."),
        ("load: m\nname: [a]\n", "2:7: The name of a workflow is text."),
        ("load: m\nevaluate: {metrics: x}\n", "2:1: There is no data to evaluate on: add `read`."),
        ("load: m\nserve: {use: nosuch}\n", "2:14: No provider 'nosuch' for 'serve'."),
        ("evaluate: {metrics: x}\n", "1:1: There is no model to evaluate: add `fit`, or `load: URI`."),
    ],
)
def test_shapes(text: str, message: str) -> None:
    assert any(line.startswith("w.yaml:" + message) for line in faults(text))


def test_overrides_are_checked_like_the_file() -> None:
    assert faults(GOOD, "fit.add=x", "fit.adds=1", "evaluat={}") == [
        "command line: evaluat: A workflow has no stage 'evaluat'. Did you mean 'evaluate'?",
        "command line: fit.add: The parameter 'add' of 'workflow_parts:mean' must be float: got str.",
        "command line: fit.adds: The provider 'workflow_parts:mean' has no parameter 'adds'. Did you mean 'add'?",
    ]
