"""Reading ahead: the same results, the same errors at the same place, and nothing left behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.errors import StepFailedError, WorkflowFileError
from mercury_core.workflow import WorkflowRun, ahead, check_workflow, run_workflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from mercury_core.data import DataBunch, DataSet
    from mercury_core.workflow.config import Step

ROLES = "roles: {index: [id], features: [a, b], targets: [y]}"
READ = f"read: {{d: {{use: csv, source: d.csv, {ROLES}}}}}\n"
THREAD = "mercury-read-ahead"
SEEN: list[DataSet] = []


def see(data_set: DataSet) -> DataSet:
    SEEN.append(data_set)
    return data_set


def write(path: str, rows: int = 50_000, last: str = "") -> Path:
    lines = [f"{n},{n / 7},{n % 5},{'xyz'[n % 3]}" for n in range(rows)]
    Path(path).write_text("\n".join(["id,a,b,y", *lines, *([last] if last else [])]) + "\n")
    return Path(path)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])
    SEEN.clear()
    yield tmp_path
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD and thread.is_alive()]


@pytest.fixture
def read_by(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Which thread read which step, as it happens."""
    seen: list[tuple[str, str]] = []
    read = ahead.read

    def spy(step: Step, *stores: Any) -> DataBunch:
        seen.append((step.name, threading.current_thread().name))
        return read(step, *stores)

    monkeypatch.setattr(ahead, "read", spy)
    return seen


def checked(text: str, *, read_ahead: bool = True) -> Any:
    Path("w.yaml").write_text(text)
    return check_workflow("w.yaml", read_ahead=read_ahead)


def test_what_was_read_ahead_is_what_would_have_been_read(read_by: list[tuple[str, str]]) -> None:
    assert write("d.csv").stat().st_size > 1 << 20
    text = READ + f'transform: {{use: "{__name__}:see"}}\n'
    for read_ahead in (True, False):
        assert WorkflowRun(checked(text, read_ahead=read_ahead)).execute().status == "succeeded"
    assert read_by == [("read.d", THREAD), ("read.d", "MainThread")]
    early, late = SEEN
    assert {role: data.to("arrow").underlying for role, data in early.items()} == {
        role: data.to("arrow").underlying for role, data in late.items()
    }
    assert early.num_rows == 50_000


def test_several_sources_each_go_to_their_step(read_by: list[tuple[str, str]]) -> None:
    write("d.csv")
    write("e.csv", rows=60_000)
    record = WorkflowRun(checked(READ.replace("}}\n", f"}}, e: {{use: csv, source: e.csv, {ROLES}}}}}\n"))).execute()
    assert [step["result"] for step in record.steps] == [{"rows": {"d": 50_000}}, {"rows": {"e": 60_000}}]
    assert sorted(read_by) == [("read.d", THREAD), ("read.e", THREAD)]


@pytest.mark.parametrize(
    ("read", "rows"),
    [
        (READ, 10),  # small
        (READ.replace("use: csv", 'use: "mercury_core.builtin.readers:read_csv"'), 50_000),
    ],
)
def test_a_small_file_and_a_reader_of_anybody_are_read_at_their_step(
    read_by: list[tuple[str, str]], read: str, rows: int
) -> None:
    write("d.csv", rows)
    WorkflowRun(checked(read)).execute()
    assert read_by == [("read.d", "MainThread")]


def test_a_check_alone_reads_nothing(read_by: list[tuple[str, str]]) -> None:
    write("d.csv")
    checked(READ, read_ahead=False)
    assert read_by == []


def test_a_source_with_a_fault_is_not_read(read_by: list[tuple[str, str]]) -> None:
    write("d.csv")
    with pytest.raises(WorkflowFileError, match="has no column 'c'"):
        checked(READ.replace("[a, b]", "[a, c]"))
    assert read_by == []


def test_a_fault_after_the_reading_began_lets_go_of_what_is_read(
    here: Path, read_by: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("d.csv")
    dropped = []
    drop = ahead.ReadAhead.drop

    def spy(reading: ahead.ReadAhead) -> None:
        drop(reading)
        dropped.append(list(reading._begun))

    monkeypatch.setattr(ahead.ReadAhead, "drop", spy)
    with pytest.raises(WorkflowFileError, match=r"^w\.yaml:2:18: No provider 'nothing' for 'transform'"):
        checked(READ + "transform: {use: nothing}\n")
    assert read_by == [("read.d", THREAD)]
    assert dropped == [[]]
    assert not (here / "runs").exists()


def test_an_error_of_reading_ahead_is_one_of_the_step(read_by: list[tuple[str, str]]) -> None:
    write("d.csv", last="1,2")  # behind the block that the check looks at
    messages = []
    for read_ahead in (True, False):
        job = WorkflowRun(checked(READ, read_ahead=read_ahead))
        with pytest.raises(StepFailedError, match=r"^w\.yaml:1:8: the step read\.d failed: ") as caught:
            job.execute()
        messages.append(str(caught.value))
        assert job.record.status == "failed"
        assert [(step["step"], step["status"]) for step in job.record.steps] == [("read.d", "failed")]
    assert messages[0] == messages[1]
    assert "line 50002 has 2 fields where the header has 4" in messages[0]
    assert [thread for _, thread in read_by] == [THREAD, "MainThread"]


def test_what_was_read_is_given_away_once(read_by: list[tuple[str, str]]) -> None:
    write("d.csv")
    workflow = checked(READ)
    for _ in range(2):
        assert WorkflowRun(workflow).execute().status == "succeeded"
    assert [thread for _, thread in read_by] == [THREAD, "MainThread"]


def test_run_workflow_reads_ahead(read_by: list[tuple[str, str]]) -> None:
    write("d.csv")
    Path("w.yaml").write_text(READ)
    run_workflow("w.yaml")
    assert [thread for _, thread in read_by] == [THREAD]


class Listener:
    """Says when a step began."""

    def __init__(self) -> None:
        self.began = threading.Event()

    def step_started(self, step: str, **_: Any) -> None:
        self.began.set()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_a_step_waits_for_its_reading(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    write("d.csv")
    listener, stopped = Listener(), threading.Event()
    read: Callable[..., DataBunch] = ahead.read

    def slow(step: Step, *stores: Any) -> DataBunch:
        assert listener.began.wait(30)
        os.kill(os.getpid(), number)
        assert stopped.wait(30)
        return read(step, *stores)

    monkeypatch.setattr(ahead, "read", slow)
    workflow = checked(READ)
    job = WorkflowRun(workflow, listener=listener)
    with pytest.raises(KeyboardInterrupt):
        job.execute()
    assert job.record.status == "interrupted"
    assert [(step["step"], step["status"]) for step in job.record.steps] == [("read.d", "interrupted")]
    stopped.set()
    for thread in [one for one in threading.enumerate() if one.name == THREAD]:
        thread.join(30)
