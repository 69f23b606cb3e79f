"""Names of any kind: a key never leads out of the target, and what a disk cannot hold is refused."""

from __future__ import annotations

import os
from itertools import chain, count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from mercury_core.errors import StoreAccessError
from mercury_core.storage import copy
from tests.core.storing import Conditional, Telling, Within, World, stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["stores"]
PARTS = ("", ".", "..", "...", "a", "A", "b", "a b", "ü", "%2e%2e", "#", "?", "~", "-", "\\", "C:", "a\0", "\n")
part = st.sampled_from(PARTS)
keys = st.lists(st.lists(part, min_size=1, max_size=4).map("/".join), min_size=1, max_size=4, unique=True)
numbers = count()
LONG = "/".join(["k" * 99] * 10)


def refused(names: list[str]) -> bool:
    """Whether a disk cannot hold all of them."""
    files = {name for name in names if not name.endswith("/")}
    parts = [name.removesuffix("/").split("/") for name in names if name]
    above = {"/".join(one[:end]) for one in parts for end in range(1, len(one))}
    above |= {name.removesuffix("/") for name in names if name.endswith("/")}
    odd = any(one in ("", ".", "..") or "\0" in one for one in chain.from_iterable(parts))
    return odd or bool(files & above)


def everything(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=keys, overwrite=st.sampled_from(["error", "skip", "replace"]), exists=st.booleans())
def test_a_key_never_leads_out_of_the_target(
    names: list[str], overwrite: str, exists: bool, stores: Callable[..., World], tmp_path: Path
) -> None:
    world, root = stores("one", Telling), tmp_path / str(next(numbers))
    (root / "outside").mkdir(parents=True)
    (root / "outside" / "precious").write_bytes(b"precious")
    target = root / "below" / "copy"
    if exists and overwrite != "error":
        target.mkdir(parents=True)
    contents = {name: b"" if name.endswith("/") or not name else name.encode() for name in names}
    world.fill({f"one://b/t/{name}": data for name, data in contents.items()})
    whole = False
    try:
        copy("one://b/t", target, overwrite=overwrite)
        whole = True
    except StoreAccessError as error:
        assert "Rename" in str(error)  # noqa: PT017 — one or the other is right
    assert whole != refused(names)
    assert everything(root / "outside") == {"precious": b"precious"}
    assert sorted(os.listdir(root)) == ["below", "outside"] or not whole
    if whole:
        assert everything(target) == {name: data for name, data in contents.items() if name and not name.endswith("/")}
    elif overwrite != "skip" or not exists:
        assert everything(root) == {"outside/precious": b"precious"}


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=keys, within=st.booleans())
def test_stores_keep_every_name_as_it_is(names: list[str], within: bool, stores: Callable[..., World]) -> None:
    one = stores("one", *[Within] * within)
    two = one if within else stores("two", Conditional)
    target = "one://c/copy" if within else "two://b/copy"
    one.fill({f"one://b/t/{name}": name.encode() for name in names if name})
    one.fill({"one://b/t/x": b"x"})
    copy("one://b/t", target)
    assert two.contents(f"{target}/") == {**{name: name.encode() for name in names if name}, "x": b"x"}


def test_keys_of_a_thousand_characters(stores: Callable[..., World], tmp_path: Path) -> None:
    one, two = stores("one"), stores("two")
    one.fill({f"one://b/t/{LONG}": b"long"})
    copy("one://b/t", tmp_path / "copy")
    assert (tmp_path / "copy" / LONG).read_bytes() == b"long"
    copy(tmp_path / "copy", "two://b/t")
    assert two.contents("two://b/t/") == {LONG: b"long"}


@pytest.mark.parametrize("name", ["k" * 999, f"{'k' * 999}/x", f"x/{'ü' * 200}"])
def test_names_that_are_too_long_for_a_disk(name: str, stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    one.fill({f"one://b/t/{name}": b"x", "one://b/t/a": b"a"})
    with pytest.raises(StoreAccessError, match=r"the name is too long for this disk\. Choose a shorter one"):
        copy("one://b/t", tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == []


def test_ten_thousand_small_files(stores: Callable[..., World], tmp_path: Path) -> None:
    one, two = stores("one", Telling), stores("two", Conditional, Telling)
    tree = {f"{number % 100}/{number}": str(number).encode() for number in range(10_000)}
    one.fill({f"one://b/t/{name}": data for name, data in tree.items()})
    report = copy("one://b/t", tmp_path / "copy")
    assert (report.files, report.bytes) == (10_000, sum(map(len, tree.values())))
    copy(tmp_path / "copy", "two://b/t")
    assert two.contents("two://b/t/") == tree


def test_a_disk_that_takes_two_names_for_the_same(
    stores: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = stores("one")
    one.fill({"one://b/t/a": b"a", "one://b/t/A": b"A"})
    whole = os.open

    def opened(path: str, *rest: int, **more: int) -> int:
        return whole(f"{path[:-1]}a" if str(path).endswith("/A") else path, *rest, **more)

    monkeypatch.setattr(os, "open", opened)
    with pytest.raises(StoreAccessError, match=r"this disk takes '[aA]' and another name of the source for the same"):
        copy("one://b/t", tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == []


def test_a_link_in_an_old_target_is_not_followed_out_of_it(stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    one.fill({"one://b/t/link/x": b"x", "one://b/t/inner/x": b"x"})
    for place in ("outside", "copy/real"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "copy" / "inner").symlink_to("real")
    (tmp_path / "copy" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(StoreAccessError, match=r"copy/link: a symbolic link there leads out of the target"):
        copy("one://b/t", tmp_path / "copy", overwrite="skip")
    assert os.listdir(tmp_path / "outside") == []
