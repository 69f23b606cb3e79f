"""What the command shows: tables, progress, errors, JSON."""

import io
import json
import os
import subprocess
import sys
import warnings

import pytest
from rich.console import Console

from mercury_core.cli import main, output, summary, tables
from mercury_core.cli.aside import prints_aside
from mercury_core.cli.plain import PlainProgress, described
from mercury_core.cli.progress import TerminalProgress
from mercury_core.errors import MissingColumnsError, ReadError, StoreAccessError


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    for command in ("run", "check", "predict", "inspect", "verify", "providers", "plugins"):
        assert f"\n  {command} " in said


@pytest.mark.parametrize("command", ["run", "check", "predict", "inspect", "verify", "providers", "plugins"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"usage: mercury-ml {command}" in said
    assert "--debug" in said


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    import mercury_core

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mercury-ml {mercury_core.__version__}\n"


def test_no_command_shows_help_and_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "providers" in capsys.readouterr().out


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rnu", "x.yaml"]) == 2
    assert "there is no command 'rnu'. Did you mean 'run'?" in capsys.readouterr().err


def test_an_unknown_option_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers", "--jason"]) == 2
    assert "unrecognized arguments: --jason" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "check"])
def test_what_is_required_is_named_and_nothing_else(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 2
    assert capsys.readouterr().err.endswith("error: the following arguments are required: FILE\n")


def test_help_imports_no_command_and_no_sdk() -> None:
    code = (
        "import sys\nfrom mercury_core.cli import main\nmain(['--help'])\n"
        "print(*(name for name in sys.modules if name.startswith('mercury_core')), file=sys.stderr)\n"
        "first = {name.split('.')[0] for name in sys.modules}\n"
        "print(*first & {'numpy', 'pyarrow', 'rich', 'yaml', 'pluggy'}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules, sdks = done.stderr.split("\n")[:2]
    assert set(modules.split()) == {
        "mercury_core",
        "mercury_core.cli",
        "mercury_core.cli.output",
        "mercury_core.cli.parser",
    }
    assert sdks == ""


def test_an_error_of_ours_is_its_sentence() -> None:
    error = MissingColumnsError("a.csv", ["sexx"], ["sex", "age"])
    assert output.sentence(error, debug=False) == str(error)
    assert output.exit_code(error) == 2
    assert output.exit_code(ReadError("a.csv", "it is empty")) == 1


def test_any_other_error_is_one_line_that_says_how_to_see_more() -> None:
    error = ZeroDivisionError("division\nby zero")
    assert output.sentence(error, debug=False) == (
        "unexpected ZeroDivisionError: division by zero; run again with --debug to see where it comes from."
    )
    assert output.exit_code(error) == 1


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(ReadError) as caught:
        raise ReadError("a.csv", "it is empty") from OSError("the cause")
    said = output.sentence(caught.value, debug=True)
    assert "Traceback" in said
    assert "OSError: the cause" in said


def test_ctrl_c_is_130() -> None:
    assert output.exit_code(KeyboardInterrupt()) == 130
    assert output.sentence(KeyboardInterrupt(), debug=False) == "Interrupted."


def test_json_is_strict(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_json({"auc": float("nan"), "low": float("-inf"), "é": (1, None, True)})
    said = capsys.readouterr().out

    def refuse(token: str) -> None:
        raise AssertionError(token)

    assert json.loads(said, parse_constant=refuse) == {"auc": None, "low": None, "é": [1, None, True]}


def test_what_stdout_cannot_encode_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    output.write("Biscoe–é")
    assert raw.getvalue() == b"Biscoe\\u2013\\xe9\n"


def test_no_stdout_and_no_stderr_are_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    output.write("a")
    output.say("b")
    output.flush()
    assert not output.is_terminal(sys.stdout)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(StoreAccessError, match="Cannot write to stdout: No space left on device"):
            output.write("a")


def test_a_reader_that_goes_away_is_no_failure() -> None:
    code = "import sys\nfrom mercury_core.cli import output\nfor n in range(9): output.write('x' * 9000)\nsys.exit(7)"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 7


def test_a_watcher_that_goes_away_does_not_stop_the_work() -> None:
    code = "from mercury_core.cli import output\nfor n in range(9): output.say('x' * 9000)\nprint('done')"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", code], stderr=writing, stdout=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.stdout == "done\n"
    assert done.returncode == 0


def test_a_table_on_a_terminal_keeps_every_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    tables.show_table(("metric", "test"), [("accuracy [top]", "0.97")], numbers=True)
    said = sys.stdout.getvalue()  # type: ignore[attr-defined]
    assert "accuracy [top]" in said
    assert "0.97" in said
    assert "\x1b[3" not in said


def test_metrics_are_a_row_each_and_a_column_a_data_set() -> None:
    columns, rows = summary.metric_rows(
        {"valid": {"f1": 0.93334, "per": {"a": 1.0}}, "test": {"f1": 0.5, "n": 7, "auc": None}}
    )
    assert columns == ["valid", "test"]
    assert rows == [["f1", "0.9333", "0.5000"], ["per.a", "1.0000", ""], ["n", "", "7"], ["auc", "", "–"]]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0.0000"), (12345.678, "1.235e+04"), (0.00001234, "1.234e-05"), (float("nan"), "nan")]
)
def test_numbers_are_short(value: float, shown: str) -> None:
    assert summary.metric_rows({"test": {"m": value}})[1] == [["m", shown]]


def test_what_is_too_large_for_a_table_is_left_to_the_record() -> None:
    many = {str(label): 0.5 for label in range(100)}
    rows = summary.metric_rows(
        {
            "test": {
                "curve": [0.1, 0.2],
                "matrix": {"labels": ["a"], "matrix": [[1]]},
                "per_class": many,
                "per": {"a": {"f1": 1.0}},
            }
        }
    )[1]
    assert rows == [
        ["curve", "in run.json"],
        ["matrix", "in run.json"],
        ["per_class", "in run.json"],
        ["per.a.f1", "1.0000"],
    ]


STEP = {"run": "r1", "step": "fit", "verb": "fit", "provider": "sklearn.fit"}


def test_plain_progress_is_a_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainProgress() as told:
        told.run_started(run="r1", config={})
        told.step_started(**STEP)
        told.step_finished(run="r1", step="fit", seconds=1.234, result={"rows": {"train": 240}})
        told.step_started(**{**STEP, "step": "copy"})
        told.step_failed(run="r1", step="copy", seconds=0.5, error=OSError("full"))
        told.step_skipped(run="r1", step="read", reason="its result is known")
        told.step_started(**{**STEP, "step": "copy", "provider": "file"})
        told.step_finished(run="r1", step="copy", seconds=0.01, result={"to": "file:///m"})
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "run r1",
        "fit (sklearn.fit): 1.23 s, train 240 rows",
        "copy (sklearn.fit): failed after 0.50 s",
        "read: skipped, its result is known",
        "copy (file): 0.01 s, file:///m",
    ]


def test_terminal_progress_shows_every_step_and_takes_names_literally() -> None:
    screen = io.StringIO()
    with TerminalProgress(Console(file=screen, force_terminal=True, width=120, highlight=False)) as told:
        told.run_started(run="r1", config={"name": "pen[red]guins"})
        told.step_started(**{**STEP, "step": "fit[bold]"})
        told.step_finished(run="r1", step="fit[bold]", seconds=1.234, result={"path": "models/m"})
        told.step_started(**{**STEP, "step": "copy"})
        told.copy_progress(source="a", target="b", files=3, size=2_000_000)
        told.step_failed(run="r1", step="copy", seconds=0.5, error=OSError("full"))
        told.step_skipped(run="r1", step="read", reason="its result is known")
    said = screen.getvalue()
    for part in ("pen[red]guins", "✓", "fit[bold]", "1.23 s", "models/m", "✗", "0.50 s", "its result is known"):
        assert part in said


def test_a_result_is_told_without_what_is_long() -> None:
    assert described({}) == ""
    assert described({"metrics": {"test": {"f1": 0.9}}, "model": "Ridge", "to": ["a", "b"]}) == "Ridge, a, b"


def test_a_warning_to_the_user_is_its_sentence() -> None:
    before = warnings.formatwarning
    with prints_aside():
        assert warnings.formatwarning("3 rows were left out.", UserWarning, "a.py", 7) == (
            "Warning: 3 rows were left out.\n"
        )
        assert "a.py:7: FutureWarning: use b" in warnings.formatwarning("use b", FutureWarning, "a.py", 7)
    assert warnings.formatwarning is before
