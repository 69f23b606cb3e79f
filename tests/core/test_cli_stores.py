"""The commands that work on stores: copy and ls; and the settings of stores on the command line."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from mercury_core.cli import copy_lines, ls, main
from mercury_core.cli.copy_bar import CopyBar
from mercury_core.contracts import ObjectInfo
from mercury_core.storage import CopyProgress
from tests.core.remote_parts import ASKED, GONE, OBJECTS, memory, store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Site

pytestmark = pytest.mark.usefixtures("memory")
__all__ = ["memory"]

TREE = {"a.bin": b"aaaa", "d/b.bin": b"bb", "d/e/c c%20#.bin": b""}


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, content in TREE.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "tree"


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    assert main(list(words)) == code
    return capsys.readouterr()


# --- copy ---


def test_copy_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(capsys, "copy", "tree", "mem://b/x/")
    assert out.startswith("3 files, 6 B, copied to mem://b/x/tree in ")
    assert out.endswith(" s\n")
    assert not err
    assert {uri: content for uri, (_, content) in OBJECTS.items()} == {
        f"mem://b/x/tree/{name}": content for name, content in TREE.items()
    }
    out, _ = said(capsys, "copy", "mem://b/x/tree/a.bin", "back.bin", "--move")
    assert out.startswith("1 file, 4 B, moved to back.bin in ")
    assert "mem://b/x/tree/a.bin" not in OBJECTS
    assert Path("back.bin").read_bytes() == b"aaaa"


def test_copy_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    store("mem://b/t/a.bin", b"there")
    out, err = said(capsys, "copy", "tree", "mem://b/t", "--overwrite", "skip", "--json")
    told = json.loads(out)
    assert told.pop("seconds") >= 0
    assert told == {
        "status": "succeeded",
        "source": "tree",
        "target": "mem://b/t",
        "files": 2,
        "bytes": 2,
        "skipped": 1,
        "resumed": 0,
        "checksums": {"d/b.bin": "crc32c:f299e880", "d/e/c c%20#.bin": "crc32c:00000000"} | told["checksums"],
    }
    assert set(told["checksums"]) == {"d/b.bin", "d/e/c c%20#.bin"}
    assert not err
    out, err = said(capsys, "copy", "tree", "mem://b/t", "--json", code=1)
    assert json.loads(out)["status"] == "failed"
    assert json.loads(out)["error"] == err.strip()
    assert err.startswith("mem://b/t")
    assert "exists already" in err


def test_a_password_in_a_uri_is_in_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, "copy", "mem://me:hunter22@b/k", "mem://me:hunter22@b/l", "--json", code=1)
    assert json.loads(out)["source"] == "mem://me:***@b/k"
    assert "hunter22" not in out


def test_what_cannot_be_copied_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "copy", "nothing", "mem://b/x", code=1)[1].startswith("Nothing is stored at nothing:")
    assert "No provider 'mom'" in said(capsys, "copy", "tree", "mom://b/x", code=2)[1]
    GONE.add("b")
    assert "there is no bucket 'b'" in said(capsys, "copy", "mem://b/x", "x", code=1)[1]
    assert not Path("x").exists()
    assert said(capsys, "copy", "tree", code=2)[1].endswith("the following arguments are required: DST\n")


def test_parameters_of_stores(capsys: pytest.CaptureFixture[str]) -> None:
    good = ["--store", "mem", "max_concurrency=2", "--store", "mem://b", "endpoint_url=http://x"]
    said(capsys, "copy", "tree", "mem://b/x", *good)
    for option, why in (
        (("mem", "max_concurrency=two"), "'max_concurrency' of 'mem' must be int"),
        (("mem", "concurrency=2"), "no parameter 'concurrency'"),
        (("mom", "a=2"), "No provider 'mom' for 'copy'"),
        (("mem:/b", "a=2"), "'mem:/b' begins no URI"),
        (("mem", "endpoint_url"), "'endpoint_url' is not of the form key=value"),
        (("mem", "endpoint_url={a"), "endpoint_url: "),
    ):
        assert why in said(capsys, "copy", "tree", "mem://b/y", "--store", *option, code=2)[1]
        assert why in said(capsys, "ls", "mem://b/y", "--store", *option, code=2)[1]
        assert why in said(capsys, "predict", "m", "s.csv", "--to", "o.csv", "--store", *option, code=2)[1]
    assert not any("mem://b/y" in uri for _, uri, _ in ASKED)


def test_an_interrupt_says_that_the_same_command_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mercury_core import storage

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(storage, "copy", interrupted)
    out, err = said(capsys, "copy", "tree", "mem://b/x", "--json", code=130)
    assert json.loads(out)["status"] == "interrupted"
    assert err == "Interrupted.\nThe same command goes on where this one stopped.\n"


SLOW = """
import io, sys, time
from mercury_core.cli import main
from tests.core import remote_parts

class Slow(io.RawIOBase):
    def readable(self): return True
    def readinto(self, buffer):
        print("began", flush=True)
        time.sleep(0.001)
        size = min(len(buffer), 1 << 16)
        buffer[:size] = b"x" * size
        return size

remote_parts.OBJECTS["mem://b/t/z"] = 1, b"x" * (1 << 28)
remote_parts.MemoryStore.open = lambda self, uri, *args, **named: io.BufferedReader(Slow())
sys.exit(main(["copy", "mem://b/t", "out", "--quiet"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_copy_in_its_middle(site: Site, number: signal.Signals, code: int) -> None:
    paths = [str(site.path), str(Path(__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with subprocess.Popen(
        [sys.executable, "-c", SLOW], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        assert child.stderr is not None
        assert child.stderr.readline().startswith("began")
        child.send_signal(number)
        _, err = child.communicate(timeout=60)
    assert child.returncode == code, err
    assert err.endswith("Interrupted.\nThe same command goes on where this one stopped.\n")
    assert not Path("out").exists()


def test_progress_in_lines_is_rare(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert not said(capsys, "copy", "tree", "mem://b/one")[1]
    monkeypatch.setattr(copy_lines, "SECONDS", 0.0)
    lines = said(capsys, "copy", "tree", "mem://b/two")[1].splitlines()
    assert lines[-1].startswith("3 of 3 files, 6 B of 6 B, ")
    assert not said(capsys, "copy", "tree", "mem://b/three", "--quiet")[1]


def test_progress_on_a_terminal_is_a_bar() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with CopyBar("mem://bucket/a/very/long/name/of/a/target/indeed", console) as bar:
        bar(CopyProgress(0, 0))
        bar(CopyProgress(2, 5_000_000, 8, 20_000_000))
    shown = screen.getvalue()
    assert "…ry/long/name/of/a/target/indeed" in shown
    assert "2/8 files" in shown
    assert "5.0/20.0 MB" in shown


def test_a_bar_without_progress_shows_nothing_wrong() -> None:
    screen = io.StringIO()
    with CopyBar("x", Console(file=screen, force_terminal=True, width=120)):
        pass
    assert "files" not in screen.getvalue()


def test_the_bar_is_chosen_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from mercury_core.cli import output

    monkeypatch.setattr(output, "is_terminal", lambda stream: True)
    out, err = said(capsys, "copy", "tree", "mem://b/one")
    assert out.startswith("3 files")
    assert "3/3 files" in err


# --- ls ---


def lines(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


def test_ls_lists_one_level(capsys: pytest.CaptureFixture[str], site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b/", "b/c", "b/d/e", "b2/x", "z\x1b[31m\n"):
        store(f"mem://b/m/{name}", b"x" * 12_345)
    store("mem://b/m/", b"")
    store("mem://b/m2", b"")
    out, err = said(capsys, "ls", "mem://b/m")
    rows = lines(out)
    assert [row[-1] for row in rows] == ["a", "b/", "b2/", r"z\x1b[31m\n"]
    assert rows[0][:2] == ["12.3", "kB"]
    assert rows[0][2].startswith("2023-11-")
    assert not err
    assert said(capsys, "ls", "mem://b/m/")[0] == out
    assert [row[-1] for row in lines(said(capsys, "ls", "mem://b")[0])] == ["m2", "m/"] or [
        row[-1] for row in lines(said(capsys, "ls", "mem://b")[0])
    ] == ["m/", "m2"]


def test_ls_lists_all_that_is_below(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b/c", "b/d/e"):
        store(f"mem://b/m/{name}", b"x")
    assert [row[-1] for row in lines(said(capsys, "ls", "mem://b/m", "-r")[0])] == ["a", "b/c", "b/d/e"]


def test_ls_of_an_object_and_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    store("mem://b/m/a", b"xyz")
    assert lines(said(capsys, "ls", "mem://b/m/a")[0])[0][-1] == "a"
    out, err = said(capsys, "ls", "mem://b/n", code=1)
    assert not out
    assert err.startswith("Nothing is stored at mem://b/n:")
    assert said(capsys, "ls", "mem://other") == ("", "")
    GONE.add("b")
    assert "there is no bucket" in said(capsys, "ls", "mem://b", code=1)[1]


def test_ls_of_a_disk(capsys: pytest.CaptureFixture[str], tree: Path) -> None:
    (tree / "empty").mkdir()
    assert [row[-1] for row in lines(said(capsys, "ls", "tree")[0])] == ["a.bin", "d/", "empty/"]
    assert [row[-1] for row in lines(said(capsys, "ls", tree.as_uri() + "/d/e")[0])] == ["c%20#.bin"]
    assert said(capsys, "ls", "tree/empty")[0] == ""
    assert lines(said(capsys, "ls", "tree/a.bin")[0])[0][-1] == "a.bin"
    assert said(capsys, "ls", "tree/none", code=1)[1].startswith("Nothing is stored at tree/none:")


def test_ls_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    store("mem://b/m/a", b"xyz")
    store("mem://b/m/d/e", b"xyz")
    listed = json.loads(said(capsys, "ls", "mem://b/m", "--json")[0])
    assert listed == [
        {
            "uri": "mem://b/m/a",
            "name": "a",
            "size": 3,
            "modified": "2023-11-14T22:13:20+00:00",
            "version": "1",
            "checksums": {},
        },
        {"uri": "mem://b/m/d/", "name": "d/"},
    ]
    assert json.loads(said(capsys, "ls", "mem://other", "--json")[0]) == []


def test_ls_prints_as_it_lists_and_stops_where_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[str] = []
    taken = []

    class Endless:
        def list(self, uri: str) -> Iterator[ObjectInfo]:
            for number in range(10_000_000):
                taken.append(number)
                yield ObjectInfo(f"{uri}/{number:08}", 1)

    def write(text: str) -> bool:
        printed.append(text)
        return len(printed) < 3

    monkeypatch.setattr(ls.output, "write", write)
    ls._print(ls._line(entry, "mem://b") for entry in ls.listed(Endless(), "mem://b", recursive=True))  # type: ignore[arg-type]
    assert len(printed) == 3
    assert len(taken) <= 1500
