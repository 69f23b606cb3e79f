"""What may be wrong with what a workflow is given: one sentence, a right exit code, one JSON object, no half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mercury_core import DataBunch, DataSet, transform_data_bunch
from mercury_core.cli import main
from mercury_core.errors import DataError, UnknownReferenceError
from mercury_core.registry import resolve

PARTS = """
import os
import sys

value = 5

def leave(data_set, code: int = 3):
    sys.exit(code)

def end(data_set):
    raise GeneratorExit

def talk(data_set):
    print("from Python")
    os.write(1, b"from below\\n")
    return data_set

def nothing(data_set):
    return None

def odd(data_set):
    raise RuntimeError("half a pair: \\ud800")

def tell(data_set, note: str = ""):
    raise RuntimeError("it said " + note)
"""
WORKFLOW = """\
read:
  d: {use: csv, source: d.csv, roles: {features: [a], targets: [y]}}
transform: {use: "bad_parts:leave"}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bad_parts.py").write_text(PARTS)
    (tmp_path / "w.yaml").write_text(WORKFLOW)
    (tmp_path / "d.csv").write_text("a,y\n1,2\n3,4\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "bad_parts", raising=False)
    yield tmp_path
    sys.modules.pop("bad_parts", None)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON object, and what was said."""
    code = main(["run", "w.yaml", "--json", "--quiet", *words])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, json.loads(said.out), said.err


def record(outcome: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(outcome["directory"], "run.json").read_text())
    return content


@pytest.mark.parametrize("code", [0, 3])
def test_a_provider_that_leaves_the_process_fails_its_step(capsys: pytest.CaptureFixture[str], code: int) -> None:
    status, outcome, said = run(capsys, f"transform.code={code}")
    assert status == 1
    assert outcome["status"] == record(outcome)["status"] == "failed"
    assert f"the step transform failed: SystemExit: {code}. Run again with --debug" in said


def test_any_exception_of_a_provider_fails_its_step(capsys: pytest.CaptureFixture[str]) -> None:
    status, outcome, said = run(capsys, "transform.use=bad_parts:end")
    assert status == 1
    assert outcome["status"] == record(outcome)["status"] == "failed"
    assert "the step transform failed: GeneratorExit. Run again with --debug" in said


def test_a_message_that_is_no_text_is_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    status, outcome, _ = run(capsys, "transform.use=bad_parts:odd")
    assert status == 1
    assert record(outcome)["status"] == "failed"
    assert "half a pair: \ud800" in record(outcome)["error"]["message"]


def test_what_a_provider_prints_is_not_in_the_json() -> None:
    words = [sys.executable, "-m", "mercury_core", "run", "w.yaml", "--json", "-q", "transform.use=bad_parts:talk"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "succeeded"
    assert sorted(done.stderr.splitlines()) == ["from Python", "from below"]


def test_what_a_plugin_prints_is_not_in_the_json(here: Path) -> None:
    (here / "chatty-1.0.dist-info").mkdir()
    (here / "chatty-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: chatty\nVersion: 1.0\n")
    (here / "chatty-1.0.dist-info/entry_points.txt").write_text("[mercury]\nchatty = chatty_hooks\n")
    (here / "chatty_hooks.py").write_text("print('here I am')\n")
    for command in ("plugins", "providers"):
        environment = {**os.environ, "PYTHONPATH": str(here), "MERCURY_CACHE_DIR": str(here / command)}
        words = [sys.executable, "-m", "mercury_core", command, "--json"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0
        assert isinstance(json.loads(done.stdout), list)
        assert done.stderr == "here I am\n"


@pytest.mark.skipif(os.name == "nt", reason="descriptors of POSIX")
@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-"])
def test_without_stdout_or_stderr_the_work_is_done_all_the_same(here: Path, closed: str) -> None:
    line = f'"{sys.executable}" -m mercury_core run w.yaml transform.use=bad_parts:talk {closed}'
    assert subprocess.run(line, shell=True, capture_output=True, check=False).returncode == 0
    (written,) = (here / "runs").glob("*/run.json")
    assert json.loads(written.read_text())["status"] == "succeeded"


@pytest.mark.skipif(os.name == "nt", reason="descriptors of POSIX")
def test_no_file_takes_the_place_of_a_closed_stream(here: Path) -> None:
    (here / "own_file.py").write_text(
        "import os\n\ndef see(data):\n    with open('own.txt', 'w') as file:\n"
        "        assert file.fileno() > 2\n    return data\n"
    )
    line = f'"{sys.executable}" -m mercury_core run w.yaml transform.use=own_file:see'
    for closed in ("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"):
        assert subprocess.run(f"{line} {closed}", shell=True, capture_output=True, check=False).returncode == 0


def test_a_transform_that_gives_nothing_back_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, said = run(capsys, "transform.use=bad_parts:nothing")
    assert status == 1
    assert "The transform 'bad_parts:nothing' gave back NoneType: expected a DataSet." in said


def test_a_function_on_the_bunch_gives_a_bunch_back() -> None:
    def forgetful(bunch: DataBunch) -> DataBunch:
        bunch.select(["d"])

    bunch = DataBunch({"d": DataSet({"features": {"a": [1]}})})
    with pytest.raises(DataError, match="gave back NoneType: expected a DataBunch"):
        transform_data_bunch(bunch, forgetful)


def test_a_reference_to_a_plain_value_leads_nowhere() -> None:
    with pytest.raises(UnknownReferenceError, match="it names a value of type int, which does nothing"):
        resolve("transform", "bad_parts:value")


def test_a_secret_is_in_no_message(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_TOKEN", "hunter22")
    told = run(capsys, "transform={use: 'bad_parts:tell', note: '${oc.env:STORE_TOKEN}'}")
    assert told[0] == 1
    checked = run(capsys, "transform.use=${oc.env:STORE_TOKEN}")
    assert checked[0] == 2
    assert "No provider '***'" in checked[2]
    assert "hunter22" not in repr((told, checked, [path.read_text() for path in Path("runs").rglob("*.json*")]))


def fault(capsys: pytest.CaptureFixture[str], text: str) -> str:
    Path("w.yaml").write_text(text)
    assert main(["check", "w.yaml"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_another_delimiter_is_one_fault_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("d.csv").write_text("a;y\n1;2\n")
    said = fault(capsys, WORKFLOW.replace("leave", "talk"))
    assert said == (
        f"w.yaml:2:25: Cannot read {Path.cwd() / 'd.csv'}: its header is one column, 'a;y'. Did you mean delimiter=';'?"
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('"d\\0.csv"', "Cannot use 'd\\x00.csv' as a place: it holds a null character. Remove it."),
        (
            "odd:/bucket/d.csv",
            "Cannot use 'odd:/bucket/d.csv' as a place: a URI has two slashes after the colon. Write odd://bucket/d.csv",
        ),
        ("d" * 5000, "There cannot be a file "),
    ],
)
def test_a_source_that_no_disk_can_hold_is_a_fault_at_its_place(
    capsys: pytest.CaptureFixture[str], source: str, message: str
) -> None:
    assert fault(capsys, f"read: {{use: csv, source: {source}}}\n").startswith(f"w.yaml:1:26: {message}")


@pytest.mark.parametrize("text", ["[" * 500 + "]" * 500, "{a: " * 500 + "1" + "}" * 500])
def test_values_too_deep_are_a_fault(capsys: pytest.CaptureFixture[str], text: str) -> None:
    said = fault(capsys, f"vars: {{deep: {text}}}\nread: {{use: csv, source: d.csv}}\n")
    assert said.startswith("w.yaml:1:")
    assert said.endswith("The value here lies more than 100 deep in others: expected a workflow.")


def test_a_key_that_is_no_word_is_one_fault(capsys: pytest.CaptureFixture[str]) -> None:
    said = fault(capsys, "read: {use: csv, source: d.csv}\n? [a, b]\n: 3\n")
    assert said == "w.yaml:2:3: A key is a word or a number: expected no list, no mapping and no null here."
