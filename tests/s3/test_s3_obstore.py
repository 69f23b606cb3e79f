"""obstore's synchronous calls are sound as they are used here: in threads, through errors, after a fork, at the end."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")
pytest.importorskip("obstore")

import obstore

from mercury_core.errors import ObjectChangedError, ObjectExistsError, ObjectNotFoundError
from tests.servers.faults import SLOW_DOWN, Cut, Reset

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.proxy import FaultProxy
    from tests.servers.s3 import S3Server


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What obstore is asked for."""
    made: list[str] = []

    def counting(name: str) -> Any:
        plain = getattr(obstore, name)

        def call(store: Any, path: str, *args: Any, **kwargs: Any) -> Any:
            made.append(f"{name} {path.rpartition('/')[2]}")
            return plain(store, path, *args, **kwargs)

        return call

    for name in ("get", "put"):
        monkeypatch.setattr(obstore, name, counting(name))
    return made


def test_small_objects_go_through_it(make: Any, base: str, calls: list[str]) -> None:
    store = make()
    store.put(f"{base}/first", io.BytesIO(b"x"))
    assert calls == [], "it is not known yet what an ETag is here"
    info = store.put(f"{base}/second", io.BytesIO(b"second"))
    assert store.open(f"{base}/second", version=info.version).read() == b"second"
    assert calls == ["put second", "get second"]
    with pytest.raises(ObjectExistsError):
        store.put(f"{base}/second", io.BytesIO(b"third"))
    with pytest.raises(ObjectChangedError):
        store.open(f"{base}/second", version='"another"')
    with pytest.raises(ObjectNotFoundError):
        store.open(f"{base}/third")


@pytest.mark.parametrize("name", ["a b", "a%b", "é", "a//b", "a~b"])
def test_names_that_it_would_change_do_not(make: Any, base: str, calls: list[str], name: str) -> None:
    store = make()
    store.put(f"{base}/first", io.BytesIO(b"x"))
    before = len(calls)
    store.put(f"{base}/{name}", io.BytesIO(b"x"), overwrite=True)
    assert store.open(f"{base}/{name}").read() == b"x"
    assert calls[before:] == []


@pytest.mark.parametrize("name", ["../a", "a/..", "a/./b", "a/", "/a", "a//b", ".", "a b", "a+b", "é", "a\n"])
def test_it_is_not_asked_for_names_that_it_reads_otherwise(make: Any, name: str) -> None:
    from mercury_s3.places import Place
    from mercury_s3.rapid import Rapid

    service = make()._service
    rapid = Rapid(service.connections, service.settings)
    assert not rapid.serves("GetObject", Place("bucket", name), None, {})
    assert rapid.serves("GetObject", Place("bucket", "a/b.c/..d/e_f-1=2"), None, {})


def test_what_it_cannot_say_does_not(make: Any, base: str, calls: list[str]) -> None:
    for params in ({"storage_class": "STANDARD"}, {"tags": {"a": "b"}}, {"transport": "boto3"}):
        store = make(**params)
        for name in ("a", "b"):
            store.put(f"{base}/{name}", io.BytesIO(b"x"), overwrite=True)
    assert calls == []


@pytest.mark.parametrize("fault", [Reset(), SLOW_DOWN, Cut(10)], ids=["reset", "503", "cut"])
def test_what_goes_wrong_there_is_done_elsewhere(
    make: Any, base: str, proxy: FaultProxy, calls: list[str], fault: Any
) -> None:
    store = make(endpoint_url=proxy.url)
    store.put(f"{base}/first", io.BytesIO(b"x"))
    for number in range(6):
        rule = proxy.fail(fault, method="PUT", path=f"/{number}$")
        store.put(f"{base}/{number}", io.BytesIO(b"content" * 50))
        assert rule.injected == 1 or isinstance(fault, Cut)
        proxy.fail(fault, method="GET", path=f"/{number}$")
        assert store.open(f"{base}/{number}").read() == b"content" * 50
    assert "put 0" in calls


def test_it_is_left_alone_where_it_reaches_nothing(make: Any, base: str, proxy: FaultProxy, calls: list[str]) -> None:
    store = make(endpoint_url=proxy.url)
    store.put(f"{base}/first", io.BytesIO(b"x"))
    for number in range(5):
        proxy.fail(Reset(), method="PUT", path=f"/{number}$")
        store.put(f"{base}/{number}", io.BytesIO(b"x"))
    assert calls == ["put 0", "put 1", "put 2"]


def test_thousands_of_calls_in_threads(make: Any, base: str) -> None:
    store = make()
    store.put(f"{base}/first", io.BytesIO(b"x"))

    def work(number: int) -> None:
        uri, data = f"{base}/{number % 40}", os.urandom(number * 13 % 20_000)
        store.put(uri, io.BytesIO(data), overwrite=True)
        store.open(uri).read()
        with pytest.raises(ObjectExistsError):
            store.put(uri, io.BytesIO(b"x"))
        with pytest.raises(ObjectNotFoundError):
            store.open(f"{uri}-not-there")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(600)))


@pytest.fixture
def ran(server: S3Server, base: str) -> Callable[[str], str]:
    """What a process of its own prints, that has a store and an empty place."""
    begin = f"""
        import io, os, sys, threading
        from mercury_s3.store import S3Store
        store, base = S3Store(endpoint_url={server.endpoint!r}, timeout=20), {base!r}
        store.put(f"{{base}}/first", io.BytesIO(b"x"), overwrite=True)
        store.put(f"{{base}}/second", io.BytesIO(b"y" * 1000), overwrite=True)
        assert "obstore" in sys.modules
    """

    def run(code: str) -> str:
        program = textwrap.dedent(begin) + textwrap.dedent(code)
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
            env={**os.environ, **server.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
        return done.stdout

    return run


def test_a_child_reads_and_writes_too(ran: Callable[[str], str]) -> None:
    said = ran(
        """
        for turn in range(3):
            child = os.fork()
            if child == 0:
                assert store.open(f"{base}/second").read() == b"y" * 1000
                store.put(f"{base}/child{turn}", io.BytesIO(b"z"), overwrite=True)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert store.open(f"{base}/child{turn}").read() == b"z"
        print("done")
        """
    )
    assert said == "done\n"


def test_a_child_of_a_process_whose_threads_are_at_work(ran: Callable[[str], str]) -> None:
    said = ran(
        """
        ends = threading.Event()
        def work(number):
            while not ends.is_set():
                store.put(f"{base}/w{number}", io.BytesIO(b"w" * 500), overwrite=True)
                store.open(f"{base}/w{number}").read()
        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        for thread in threads: thread.start()
        for turn in range(8):
            child = os.fork()
            if child == 0:
                assert store.open(f"{base}/second").read() == b"y" * 1000
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        ends.set()
        for thread in threads: thread.join()
        print("done")
        """
    )
    assert said == "done\n"


def test_the_interpreter_ends_while_it_is_idle_or_at_work(ran: Callable[[str], str]) -> None:
    ran("store.open(f'{base}/second').read()")
    ran(
        """
        def work():
            while True:
                store.put(f"{base}/w", io.BytesIO(b"w"), overwrite=True)
        for _ in range(4): threading.Thread(target=work, daemon=True).start()
        threading.Event().wait(0.3)
        """
    )


def test_a_child_of_multiprocessing(ran: Callable[[str], str]) -> None:
    said = ran(
        """
        import multiprocessing
        def read(number): return len(store.open(f"{base}/second").read())
        with multiprocessing.get_context("fork").Pool(3) as pool:
            print(sum(pool.map(read, range(30))))
        """
    )
    assert said == "30000\n"
