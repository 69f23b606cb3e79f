"""Workflows on what lies in stores: the settings of stores, the check before any work, the run and its record."""

from __future__ import annotations

import io
import json
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.cli import main
from mercury_core.errors import WorkflowFileError
from mercury_core.storage.records import Record
from mercury_core.workflow import check_workflow, reach, run_workflow
from tests.core import remote_parts
from tests.core.remote_parts import ASKED, GONE, OBJECTS, SILENT, memory, store

pa = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402

if TYPE_CHECKING:
    from mercury_core.workflow import CheckedWorkflow, RunRecord

pytestmark = pytest.mark.usefixtures("memory")
__all__ = ["memory"]

P = "workflow_parts"
ROWS = "mem://b/rows.parquet"
READ = f"read: {{train: {{source: {ROWS}, roles: {{index: id, features: [a], targets: y}}}}}}\n"
FIT = f'fit: {{use: "{P}:mean"}}\n'
SAVE = f'save: {{use: "{P}:mean_format", path: models/m}}\n'


def table_of(rows: int) -> bytes:
    sink = io.BytesIO()
    values = {"id": list(range(rows)), "a": [0.5] * rows, "y": [1.0] * rows, "other": ["x"] * rows}
    parquet.write_table(pa.table(values), sink)
    return sink.getvalue()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])
    store(ROWS, table_of(4))
    return tmp_path


def check(text: str, **named: Any) -> CheckedWorkflow:
    Path("w.yaml").write_text(text)
    return check_workflow("w.yaml", **named)


def faults(text: str, **named: Any) -> list[str]:
    with pytest.raises(WorkflowFileError) as caught:
        check(text, **named)
    return list(caught.value.faults)


def run(text: str) -> RunRecord:
    Path("w.yaml").write_text(text)
    return run_workflow("w.yaml")


# --- the job ---


def test_a_job_reads_copies_and_loads(here: Path) -> None:
    record = run(READ + FIT + SAVE + "copy: {to: 'mem://models/${run.id}/m'}\n")
    uri = f"mem://models/{record.run}/m"
    content = json.loads((record.directory / "run.json").read_text())
    copied = content["steps"][-1]["result"]
    sums = copied.pop("checksums")
    size = sum(len(data) for name, (_, data) in OBJECTS.items() if name.startswith("mem://models/"))
    assert copied == {"to": uri, "files": 3, "bytes": size, "skipped": 0, "resumed": 0}
    assert list(sums) == [uri]
    assert sorted(sums[uri]) == ["golden.parquet", "mercury.json", "model/mean.json"]
    assert all(value.startswith("crc32c:") and len(value) == 15 for value in sums[uri].values())
    assert content["artifacts"][-1]["uri"] == uri
    assert content["environment"]["plugins"]["acme-mem"] == "1.0"
    metrics = f'evaluate: {{metrics: ["{P}:gap"]}}\n'
    trusted = f'load: {{uri: "{uri}", trusted: ["{P}:mean_format"]}}\n'
    again = run(READ + trusted + metrics + "copy: {to: 'mem://other/'}\n")
    assert again.metrics == {"train": {f"{P}:gap": 0.0}}
    assert "mem://other/m/model/mean.json" in OBJECTS


def test_what_was_there_is_skipped_and_many_checksums_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from mercury_core.workflow import steps

    text = READ + FIT + SAVE.replace("models/m", "'models/${run.id}'")
    monkeypatch.setattr(steps, "MOST_CHECKSUMS", 1)
    assert "checksums" not in run(text + "copy: {to: mem://models/m}\n").steps[-1]["result"]
    assert any("mem://models/m: it exists already" in fault for fault in faults(text + "copy: {to: mem://models/m}\n"))
    told = run(text + "copy: {to: mem://models/m, overwrite: skip}\n")
    assert told.steps[-1]["result"]["skipped"] == 3
    assert "sha256" not in told.artifacts[-1]


# --- settings of stores ---


def test_settings_of_stores_are_those_of_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    begin = remote_parts.MemoryStore.__init__

    def noting(self: Any, **params: Any) -> None:
        made.append(params)
        begin(self, **params)

    monkeypatch.setattr(remote_parts.MemoryStore, "__init__", noting)
    settings = "stores: {mem: {max_concurrency: 2}, 'mem://models': {endpoint_url: 'http://x'}}\n"
    run(settings + READ + FIT + SAVE + "copy: {to: 'mem://models/m'}\n")
    assert sorted(made, key=str) == [{"endpoint_url": "http://x"}, {"max_concurrency": 2}]


def test_settings_that_are_wrong_are_faults_with_their_places() -> None:
    text = (
        "stores:\n  mem: {max_concurrency: two, endpoint: x}\n  mom: {a: 1}\n  mem://b: {token: 3}\n"
        + READ
        + FIT
        + SAVE
    )
    found = faults(text)
    assert [fault.partition(": ")[0] for fault in found] == ["w.yaml:2:9", "w.yaml:2:31", "w.yaml:3:3", "w.yaml:4:13"]
    assert "The parameter 'max_concurrency' of 'mem' must be int" in found[0]
    assert "The provider 'mem' has no parameter 'endpoint'" in found[1]
    assert "No provider 'mom' for 'copy'" in found[2]
    assert not ASKED
    for wrong in ("stores: 3\n", "stores: {mem: 3}\n", "stores: [mem]\n"):
        (fault,) = faults(wrong + READ + FIT + SAVE)
        assert fault.startswith("w.yaml:1:9: Expected a mapping from scheme or URI to parameters")


def test_secrets_of_stores_are_masked() -> None:
    record = run("stores: {mem: {token: hunter22}}\n" + READ + FIT + SAVE)
    assert "hunter22" not in (record.directory / "run.json").read_text()


# --- the check ---


def interrupt(source: str, target: str) -> None:
    """Leave what a copy leaves that is interrupted when something has arrived."""
    with suppress(KeyboardInterrupt), Record(source, target) as record:
        record.useful()
        raise KeyboardInterrupt


def test_an_interrupted_copy_of_what_is_loaded_goes_on() -> None:
    run(READ + FIT + SAVE + "copy: {to: mem://models/m}\n")
    text = f"load: {{uri: mem://models/m, trusted: ['{P}:mean_format']}}\ncopy: {{to: mem://other/}}\n"
    store("mem://other/m/mercury.json", OBJECTS["mem://models/m/mercury.json"][1])
    assert "mem://other/m: it exists already" in faults(text)[0]
    interrupt("mem://models/m", "mem://other/m")
    result = run(text).steps[-1]["result"]
    assert (result["files"], result["resumed"]) == (3, 1)
    assert "mem://other/m: it exists already" in faults(text)[0]


def test_an_interrupted_copy_of_what_is_saved_anew_is_refused_before_any_work() -> None:
    text = READ + FIT + SAVE + "copy: {to: mem://models/m}\n"
    store("mem://models/m/mercury.json", b"{}")
    interrupt(str(Path("models/m").resolve()), "mem://models/m")
    assert "mem://models/m: it exists already" in faults(text)[0]


def test_everything_that_cannot_be_reached_is_said_at_once() -> None:
    GONE.update({"gone", "away"})
    store("mem://b/none/other", b"x")
    text = (
        "read:\n"
        "  train: {source: mem://gone/rows.parquet}\n"
        "  test: {source: mem://b/rowz.parquet}\n"
        f"load: {{uri: mem://b/none, trusted: ['{P}:mean_format']}}\n"
        "copy:\n"
        "  - {to: mem://away/m}\n"
        "  - {to: mem://b/none}\n"
    )
    found = faults(text)
    assert [fault.partition(": ")[0] for fault in found] == [
        "w.yaml:2:19",
        "w.yaml:3:18",
        "w.yaml:4:13",
        "w.yaml:6:10",
        "w.yaml:7:10",
    ]
    assert "Cannot reach mem://gone/rows.parquet: there is no bucket 'gone'" in found[0]
    assert "Nothing is stored at mem://b/rowz.parquet" in found[1]
    assert "mem://b/none is not a bundle that can be loaded: it holds no mercury.json" in found[2]
    assert "there is no bucket 'away'" in found[3]
    assert "Cannot write mem://b/none: it exists already. Add `overwrite: replace`" in found[4]
    assert ("check for writing", "mem://away/m", 0) in ASKED
    assert ("check", "mem://gone/rows.parquet", 0) in ASKED
    (fault,) = faults("load: mem://b/nothing\ncopy: {to: mem://b/new}\n")
    assert fault.startswith("w.yaml:1:7: Nothing is stored at mem://b/nothing")


def test_columns_of_a_source_elsewhere_are_checked() -> None:
    found = faults(READ.replace("[a]", "[a, b]") + FIT + SAVE)
    assert len(found) == 1
    assert "mem://b/rows.parquet has no column 'b'" in found[0]
    store(ROWS, b"no parquet at all")
    (fault,) = faults(READ + FIT + SAVE)
    assert "Cannot read mem://b/rows.parquet: it is not a Parquet file" in fault
    store("mem://b/rows.csv", b"id,a\n1,2\n")
    assert check("read: {train: {source: mem://b/rows.csv, roles: {features: nope}}}\n")


def test_offline_nothing_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    GONE.add("gone")
    text = f"read: {{train: {{source: mem://gone/rows.parquet}}}}\n{FIT}{SAVE}copy: {{to: mem://gone/m}}\n"
    assert check(text, offline=True)
    assert not ASKED
    assert main(["check", "w.yaml", "--offline"]) == 0
    assert main(["check", "w.yaml"]) == 2
    assert capsys.readouterr().err.count("there is no bucket 'gone'") == 2
    (fault,) = faults(text.replace("copy: {to: mem:", "copy: {to: mom:"), offline=True)
    assert "No provider 'mom' for 'copy'" in fault


def test_a_store_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "SECONDS", 0.2)
    SILENT["mute"] = threading.Event()
    (fault,) = faults(READ + FIT + SAVE + "copy: {to: mem://mute/m}\n")
    assert "Cannot reach mem://mute/m: there was no answer within 0.2 seconds" in fault
    assert "--offline" in fault


def test_stores_are_asked_beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(3)
    seen = remote_parts.MemoryStore.check

    def waiting(self: Any, uri: str, *, write: bool = False) -> None:
        together.wait(20)
        seen(self, uri, write=write)

    monkeypatch.setattr(remote_parts.MemoryStore, "check", waiting)
    store("mem://c/rows.parquet", table_of(4))
    text = READ.replace("}}}\n", "}}, test: {source: mem://c/rows.parquet}}\n")
    assert check(text + FIT + SAVE + "copy: {to: mem://d/m}\n")


def test_a_store_that_fails_in_its_own_way_raises_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, uri: str, *, write: bool = False) -> None:
        raise RuntimeError("a fault of the store")

    monkeypatch.setattr(remote_parts.MemoryStore, "check", broken)
    with pytest.raises(RuntimeError, match="a fault of the store"):
        check(READ + FIT + SAVE)


def test_a_name_that_only_the_reader_knows_is_not_asked_for() -> None:
    assert check(f'read: {{train: {{use: "{P}:named", source: small}}}}\n{FIT}{SAVE}')
    (fault,) = faults("read: {train: {use: parquet, source: 'mom://b/rows.parquet'}}\n")
    assert "No provider 'mom' for 'copy'" in fault


def test_a_model_is_saved_here_first() -> None:
    (fault,) = faults(READ + FIT + SAVE.replace("models/m", "mem://b/m"))
    assert fault.endswith("A model is saved on this machine first: save to a path, and add `copy: {to: mem://b/m}`.")
