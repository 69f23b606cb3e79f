"""A store of a service in a process of its own: with threads at work, in children that are forked, and at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGIN = """
    import io, multiprocessing, os, threading
    from concurrent.futures import ThreadPoolExecutor
    {made}
    base = {base!r}
    names = [f"{{base}}/{{number}}" for number in range(12)]
    data = [os.urandom(500 * number) for number in range(12)]

    def put_all(where, overwrite=True):
        asked = ((f"{{where}}/{{number}}", each) for number, each in enumerate(data))
        return list(store.put_many(asked, 4, overwrite=overwrite))

    def read_all(infos):
        assert list(store.read_many(infos, 4)) == data

    def forked(work):
        child = os.fork()
        if child == 0:
            try:
                work()
            except BaseException as error:
                print(repr(error), flush=True)
                os._exit(1)
            os._exit(0)
        return child

    def in_child(work):
        assert os.waitpid(forked(work), 0)[1] == 0

    def at_work(work, count):
        ends = threading.Event()
        def until(number):
            while not ends.is_set():
                work(number)
        pool = ThreadPoolExecutor(count)
        running = [pool.submit(until, number) for number in range(count)]
        return lambda: (ends.set(), [each.result() for each in running], pool.shutdown())

    infos = put_all(base)
    read_all(infos)
    """

CASES = {
    "hundreds of calls in threads": """
        def work(number):
            read_all(put_all(f"{base}/t{number % 5}") if number < 5 else infos)
            store.put(f"{base}/o{number % 7}", io.BytesIO(data[number % 12]), overwrite=True)
            assert store.open(names[number % 12]).read() == data[number % 12]
            for refused in store.put_many([(name, b"x") for name in names], 4, overwrite=False):
                assert type(refused).__name__ == "ObjectExistsError", refused
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(work, range(60)))
        """,
    "children after use, at the same time": """
        def work(turn):
            for _ in range(10):
                read_all(infos)
            read_all(put_all(f"{base}/c{turn}", overwrite=False))
        children = [forked(lambda: work(turn)) for turn in range(3)]
        work("parent")
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        assert [len(list(store.list(f"{base}/c{turn}"))) for turn in range(3)] == [12, 12, 12]
        """,
    "a child while requests are on their way": """
        reading = store.read_many(infos, 4)
        assert next(reading) == data[0]
        in_child(lambda: read_all(infos))
        assert list(reading) == data[1:]
        writing = store.put_many(((f"{name}w", each) for name, each in zip(names, data)), 4, overwrite=True)
        made = [next(writing)]
        in_child(lambda: put_all(f"{base}/c"))
        read_all(made + list(writing))
        """,
    "a child of a process whose threads are at work": """
        def work(number):
            store.put(f"{base}/w{number}", io.BytesIO(data[number]), overwrite=True)
            assert store.open(f"{base}/w{number}").read() == data[number]
            read_all(put_all(f"{base}/many{number}"))
        end = at_work(work, 6)
        for turn in range(6):
            in_child(lambda: (read_all(infos), put_all(f"{base}/c{turn}")))
        end()
        """,
    "children of multiprocessing": """
        def work(number):
            read_all(infos)
            return len(store.open(names[number]).read())
        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert pool.map(work, range(12)) == [len(each) for each in data]
        """,
    "the end while threads are at work": """
        begun = threading.Barrier(5)
        def work():
            begun.wait()
            while True:
                put_all(f"{base}/w")
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        begun.wait()
        read_all(infos)
        """,
}


def run_case(case: str, made: str, base: str, environment: Mapping[str, str]) -> None:
    """Run one of `CASES` in a process of its own; `made` is the code that makes `store`, and `base` an empty place."""
    begin = textwrap.dedent(BEGIN).format(made=made, base=base)
    program = f'{begin}{textwrap.dedent(CASES[case])}\nprint("done", flush=True)\n'
    done = subprocess.run(
        # Forking while there are threads is what is tested; Python 3.12 warns of it.
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore:This process .* is multi-threaded:DeprecationWarning",
            "-c",
            program,
        ],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
