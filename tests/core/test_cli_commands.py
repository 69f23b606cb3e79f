"""The commands, from the words of the command line to what is printed, written and returned."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mercury_core.cli import main
from mercury_core.cli.predict import reader_params
from mercury_core.errors import ArgumentsError

TOY = '''
"""Providers of a technology that needs nothing."""
import time
from pathlib import Path
from mercury_core import DataWrapper, Predictions

class Constant:
    def __init__(self, value):
        self.value = value
    underlying = property(lambda self: self)
    def predict(self, data_set):
        import pyarrow as pa
        return Predictions(DataWrapper(pa.table({"y": [self.value] * data_set.num_rows})))

def fit(bunch, *, value: float = 1.0, how: str = "well"):
    if how == "badly":
        raise ZeroDivisionError("the toy broke")
    if how == "interrupted":
        raise KeyboardInterrupt
    if how == "slowly":
        Path("fitting").touch()
        time.sleep(60)
    return Constant(value)

def gap(targets, predictions, *, nan: bool = False):
    y = targets.to("numpy").underlying.ravel()
    return float("nan") if nan else float(abs(y - predictions.values.to("numpy").underlying.ravel()).mean())

class Format:
    def save(self, model, path):
        path.write_text(str(model.value))
        return path
    def load(self, path, *, trusted=()):
        return Constant(float(path.read_text()))

text = Format()
'''

WORKFLOW = """\
name: toy
read:
  rows: {use: csv, source: rows.csv, roles: {index: [id], features: [x], targets: [y]}}
transform:
  - {use: split, from: rows, into: {train: 0.5, test: 0.5}, seed: 1}
fit: {use: "cli_toy:fit", value: 3.0}
evaluate: {data: [test], metrics: ["cli_toy:gap"]}
save: {use: "cli_toy:text", path: models/toy, overwrite: replace}
copy: {to: store/toy, overwrite: replace}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a workflow, its data and its providers."""
    (tmp_path / "cli_toy.py").write_text(TOY)
    (tmp_path / "workflow.yaml").write_text(WORKFLOW)
    (tmp_path / "rows.csv").write_text("id,x,y\n" + "".join(f"{n},{n}.5,{n % 5}.0\n" for n in range(20)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "cli_toy", raising=False)
    yield tmp_path
    sys.modules.pop("cli_toy", None)


def the_run(folder: Path) -> dict[str, Any]:
    """What the only run left."""
    (record,) = (folder / "runs").glob("*/run.json")
    content: dict[str, Any] = json.loads(record.read_text())
    return content


def test_run_shows_progress_apart_from_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "workflow.yaml"]) == 0
    said = capsys.readouterr()
    record = the_run(folder)
    assert record["status"] == "succeeded"
    assert said.err.startswith(f"run {record['run']}\n")
    assert "(csv): " in said.err
    assert "20 rows" in said.err
    lines = said.out.splitlines()
    assert lines[0].split() == ["metric", "test"]
    assert lines[1].split()[0] == "cli_toy:gap"
    places = dict(line.split(None, 1) for line in lines[3:])
    assert places == {
        "save": os.path.join("models", "toy"),
        "copy": os.path.join("store", "toy"),
        "run": os.path.join("runs", record["run"]),
    }
    assert (folder / "models/toy/mercury.json").exists()


def test_run_quietly(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "workflow.yaml", "--quiet", "--runs", "elsewhere"]) == 0
    assert capsys.readouterr().err == ""
    assert len(list((folder / "elsewhere").iterdir())) == 1


def test_run_as_json_is_one_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "workflow.yaml", "--json", "fit.value=2.0", "--quiet"]) == 0
    ended = json.loads(capsys.readouterr().out)
    record = the_run(folder)
    assert set(ended) == {"status", "run", "metrics", "artifacts", "directory"}
    assert ended["status"] == "succeeded"
    assert ended["run"] == record["run"]
    assert ended["metrics"] == record["metrics"] == {"test": {"cli_toy:gap": pytest.approx(1.2, abs=0.8)}}
    assert [Path(each.get("path") or each["uri"]).parts[-2:] for each in ended["artifacts"]] == [
        ("models", "toy"),
        ("store", "toy"),
    ]
    assert all(len(each["sha256"]) == 64 for each in ended["artifacts"])
    assert ended["directory"] == str(folder / "runs" / record["run"])


def test_a_metric_that_is_no_number_is_null(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = WORKFLOW.replace('["cli_toy:gap"]', '[{use: "cli_toy:gap", name: gap, nan: true}]')
    (folder / "workflow.yaml").write_text(text)
    assert main(["run", "workflow.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["metrics"] == {"test": {"gap": None}}


def test_a_run_that_fails_says_why_and_where(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "workflow.yaml", "fit.how=badly", "--json"]) == 1
    said = capsys.readouterr()
    ended, record = json.loads(said.out), the_run(folder)
    assert ended["status"] == record["status"] == "failed"
    assert ended["directory"] == record["directory"]
    assert "ZeroDivisionError: the toy broke" in ended["error"]
    assert "workflow.yaml:6:1: the step fit failed" in said.err
    assert "Run again with --debug" in said.err
    assert f"The run is recorded in {os.path.join('runs', record['run'])}." in said.err
    assert "Traceback" not in said.err
    assert not (folder / "models").exists()


def test_debug_shows_where_it_comes_from(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "workflow.yaml", "fit.how=badly", "--debug"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "cli_toy.py" in said


def test_faults_of_the_file_come_all_at_once_and_nothing_is_done(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "workflow.yaml").write_text(WORKFLOW.replace("use: csv", "use: cvs").replace("value: 3.0", "vlaue: 3.0"))
    for command in (["run", "workflow.yaml", "--json"], ["check", "workflow.yaml"]):
        assert main(command) == 2
        said = capsys.readouterr()
        assert "workflow.yaml:3:" in said.err
        assert "Did you mean 'csv'?" in said.err
        assert "workflow.yaml:6:" in said.err
        assert "'value'" in said.err
        if "--json" in command:
            ended = json.loads(said.out)
            assert (ended["status"], ended["run"], ended["metrics"], ended["directory"]) == ("failed", None, {}, None)
            assert len(ended["faults"]) == 2
            assert ended["error"] == "\n".join(ended["faults"])
    assert not (folder / "runs").exists()


def test_check_says_that_there_are_no_faults(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "workflow.yaml"]) == 0
    assert capsys.readouterr().out == "workflow.yaml: no faults.\n"
    assert not (folder / "runs").exists()


@pytest.mark.parametrize("command", ["run", "check"])
def test_no_file(folder: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "workflwo.yaml"]) == 2
    assert "workflwo.yaml" in capsys.readouterr().err


def test_an_interrupt_in_a_step_is_one_line_and_130(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "workflow.yaml", "fit.how=interrupted", "--json", "--quiet"]) == 130
    said = capsys.readouterr()
    record = the_run(folder)
    assert json.loads(said.out)["status"] == record["status"] == "interrupted"
    place = os.path.join("runs", record["run"])
    assert said.err == f"Interrupted.\nThe run is recorded in {place}.\n"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_the_middle_of_a_run_stops_it_cleanly(folder: Path, number: signal.Signals, code: int) -> None:
    words = [sys.executable, "-m", "mercury_core", "run", "workflow.yaml", "fit.how=slowly"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (folder / "fitting").exists() and child.poll() is None:
        time.sleep(0.02)
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    assert child.returncode == code
    assert "Traceback" not in err
    assert err.count("Interrupted.") == 1
    assert out == ""
    assert the_run(folder)["status"] == "interrupted"


def test_a_reader_that_goes_away_spoils_no_run(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "mercury_core", "run", "workflow.yaml"]
    done = subprocess.run(words, stdout=writing, stderr=writing, check=False)
    os.close(writing)
    assert done.returncode == 0
    assert the_run(folder)["status"] == "succeeded"


def test_runs_that_cannot_be_recorded_are_not_begun(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a-file").write_text("")
    assert main(["run", "workflow.yaml", "--runs", "a-file", "--json"]) == 1
    said = capsys.readouterr()
    assert "a-file" in said.err
    assert "--runs" in said.err
    assert json.loads(said.out)["status"] == "failed"
    assert not (folder / "models").exists()


def test_predict_with_what_was_saved(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "workflow.yaml", "-q"]) == 0
    capsys.readouterr()
    (folder / "new.txt").write_text("id;x\n8;1.5\n9;2.5\n")
    words = ["predict", "store/toy", "new.txt", "--to", "out/p.csv", "--reader", "csv", "delimiter=;"]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "types that are not trusted" in said
    assert "--trust" in said
    assert main([*words, *TRUST]) == 0
    assert capsys.readouterr().out == "2 predictions in out/p.csv (id, prediction)\n"
    assert (folder / "out/p.csv").read_text().splitlines() == ['"id","prediction"', "8,3", "9,3"]


TRUST = ["--trust", "cli_toy:text"]


@pytest.mark.parametrize(
    ("change", "code", "expected"),
    [
        ({"model": "models/none"}, 1, "models/none"),
        ({"source": "none.csv"}, 1, "none.csv"),
        ({"source": "workflow.yaml"}, 1, "Say which reader to use"),
        ({"source": "short.csv"}, 2, "lacks the column 'x'"),
        ({"to": "p.xlsx"}, 2, "expected .parquet, .csv, .json or .jsonl"),
        ({"to": "rows.csv/p.csv"}, 1, "rows.csv"),
        ({"option": "delimiterr=;"}, 2, "delimiter"),
        ({"option": "delimiter"}, 2, "key=value"),
    ],
    ids=lambda value: next(iter(value.items()))[1] if isinstance(value, dict) else "",
)
def test_predict_with_what_cannot_be(
    folder: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], code: int, expected: str
) -> None:
    assert main(["run", "workflow.yaml", "-q"]) == 0
    (folder / "short.csv").write_text("id,z\n1,2\n")
    capsys.readouterr()
    words = {"model": "models/toy", "source": "rows.csv", "to": "out.csv", **change}
    options = [words["option"]] if "option" in words else []
    assert main(["predict", words["model"], words["source"], "--to", words["to"], *TRUST, *options]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert expected in said.err
    assert "Traceback" not in said.err
    assert "unexpected" not in said.err
    assert not (folder / "out.csv").exists()


def test_parameters_of_a_reader_are_yaml_and_a_delimiter_is_itself() -> None:
    words = ["a=1", "b=[NA, '']", "c=#", "d=", "e=true", "f=x=y"]
    assert reader_params(words) == {"a": 1, "b": ["NA", ""], "c": "#", "d": None, "e": True, "f": "x=y"}
    with pytest.raises(ArgumentsError, match="'no' is not of the form key=value"):
        reader_params(["no"])
    with pytest.raises(ArgumentsError, match="b: "):
        reader_params(["b=[1"])


# --- what there is ---


def test_providers_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers", "read"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["verb", "key", "summary", "from"]
    assert {line.split()[0] for line in lines} == {"read"}
    assert {"arrow", "csv", "json", "parquet"} <= {line.split()[1] for line in lines}
    assert "mercury-ml-core 0.1.0" in lines[0]


def test_providers_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert all(set(each) == {"verb", "key", "summary", "distribution", "version"} for each in listed)
    (csv,) = (each for each in listed if (each["verb"], each["key"]) == ("read", "csv"))
    assert (csv["distribution"], csv["version"]) == ("mercury-ml-core", "0.1.0")
    assert all(each["summary"] for each in listed)


def test_providers_of_no_such_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers", "raed"]) == 2
    assert "choose from" in capsys.readouterr().err


def test_listing_providers_imports_no_sdk() -> None:
    code = (
        "import sys\nfrom mercury_core.cli import main\nassert main(['providers']) == 0\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "mercury_core" in loaded
    sdks = {"numpy", "pyarrow", "pandas", "polars", "narwhals", "sklearn", "skops", "scipy", "torch", "keras", "boto3"}
    assert not loaded & (sdks | {"rich", "yaml", "omegaconf"})


def test_plugins_in_a_table_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--strict"]) == 0
    assert "mercury-ml-core" in capsys.readouterr().out
    assert main(["plugins", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    keys = {"distribution", "version", "entry_point", "status", "reason", "providers"}
    assert all(set(each) == keys for each in listed)
    (core,) = (each for each in listed if each["distribution"] == "mercury-ml-core")
    assert (core["entry_point"], core["status"], core["reason"]) == ("builtin", "ok", "")
    assert "read:csv" in core["providers"]


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that finds one plugin that is broken."""
    info = tmp_path / "site" / "mercury_broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mercury-broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mercury]\nbroken = mercury_broken_hooks\n")
    (tmp_path / "site" / "mercury_broken_hooks.py").write_text("raise RuntimeError('out of order')\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "MERCURY_CACHE_DIR": str(tmp_path / "cache")}


@pytest.mark.parametrize(
    ("words", "strict", "code"), [([], "0", 0), (["--strict"], "0", 2), ([], "1", 2), (["--json", "--strict"], "0", 2)]
)
def test_a_plugin_that_was_set_aside(broken: dict[str, str], words: list[str], strict: str, code: int) -> None:
    command = [sys.executable, "-m", "mercury_core", "plugins", *words]
    environment = {**broken, "MERCURY_STRICT": strict}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "out of order" in done.stdout
    assert ("mercury-broken" in done.stderr) == (code == 2)
    if "--json" in words:
        (found,) = (each for each in json.loads(done.stdout) if each["distribution"] == "mercury-broken")
        assert (found["version"], found["entry_point"], found["status"]) == ("1.0", "broken", "broken")
        assert found["providers"] == []
