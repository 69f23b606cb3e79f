"""The index is used where it is right, and nowhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zlib
from typing import TYPE_CHECKING

import pytest

from mercury_core import discovery

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Site

#: Prints what the key gives, the version of its plugin, and whether plugins were loaded to know.
ASK = """
    import sys
    from mercury_core import registry
    try:
        print(registry.resolve("read", "sample")(), registry.provider_of("read", "sample").version, end=" ")
    except Exception as error:
        print(type(error).__name__, end=" ")
    print("searched" if "pluggy" in sys.modules else "remembered")
"""


@pytest.fixture
def remembered(site: Site) -> Site:
    """A site with one plugin, which an earlier process has remembered."""
    site.plugin("acme", "sample", note="first")
    site.age()
    assert site.run(ASK) == "first 1.0 searched"
    assert site.run(ASK) == "first 1.0 remembered"
    return site


def index_of(site: Site) -> Path:
    (path,) = site.cache.iterdir()
    return path


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def test_installed(remembered: Site) -> None:
    remembered.plugin("other", "other.key")
    code = ASK.replace('"sample"', '"other.key"')
    assert remembered.run(code) == "other 1.0 searched"
    remembered.age()
    assert remembered.run(code) == "other 1.0 searched"
    assert remembered.run(code) == "other 1.0 remembered"


def test_upgraded(remembered: Site) -> None:
    remembered.remove("acme")
    remembered.plugin("acme", "sample", version="2.0", note="second")
    assert remembered.run(ASK) == "second 2.0 searched"


def test_reinstalled_in_the_same_version_with_all_time_stamps_kept(remembered: Site) -> None:
    remembered.remove("acme")
    remembered.plugin("acme", "sample", note="other")
    edit(remembered.path / "acme" / "hooks.py", "acme.target:provide", "acme.target:prov1de")
    edit(remembered.path / "acme" / "target.py", "provide", "prov1de")
    remembered.age()
    assert remembered.run(ASK) == "other 1.0 searched"


def test_removed(remembered: Site) -> None:
    remembered.remove("acme")
    assert remembered.run(ASK) == "UnknownProviderError searched"


def test_the_version_is_rewritten_in_place(remembered: Site) -> None:
    edit(next(remembered.path.glob("acme-*.dist-info")) / "METADATA", "Version: 1.0", "Version: 1.1")
    assert remembered.run(ASK) == "first 1.1 searched"


@pytest.mark.parametrize("edited", ["hooks.py", "names.py"])
def test_an_editable_plugin_is_edited(site: Site, edited: str) -> None:
    source = site.path.parent / "project"
    modules = {
        "acme/__init__.py": "",
        "acme/names.py": "TARGET = 'acme.target:first'\n",
        "acme/hooks.py": """
            from mercury_core import Provider, hookimpl
            from acme.names import TARGET

            @hookimpl
            def mercury_read():
                return [Provider("sample", TARGET)]
            """,
        "acme/target.py": "def first(): return 'first'\ndef second(): return 'second'\n",
    }
    site.install("acme", modules, {"acme": "acme.hooks"}, code=source)
    (site.path / "acme.pth").write_text(str(source))
    site.age(source)
    run = f"import site; site.addsitedir({str(site.path)!r})\n"  # a directory of PYTHONPATH is not a site directory
    ask = run + ASK.replace("\n    ", "\n")
    assert site.run(ask) == "first 1.0 searched"
    assert site.run(ask) == "first 1.0 remembered"
    edit(
        source / "acme" / edited,
        "TARGET)" if edited == "hooks.py" else "first",
        "'acme.target:second')" if edited == "hooks.py" else "second",
    )
    assert site.run(ask) == "second 1.0 searched"


def test_a_module_that_registration_reads_is_seen_whoever_loaded_it_first(site: Site) -> None:
    source = """
        from mercury_core import Provider, hookimpl
        from shared_names import TARGET

        @hookimpl
        def mercury_read():
            return [Provider("sample", TARGET)]
        """
    target = "def first(): return 'first'\ndef second(): return 'second'\n"
    shared = site.another("shared")
    (shared.path / "shared_names.py").write_text("TARGET = 'acme_target:first'\n")
    site.install("acme", {"acme_hooks.py": source, "acme_target.py": target}, {"acme": "acme_hooks"})
    site.age(shared.path)
    loaded_before = "import shared_names\n" + ASK.replace("\n    ", "\n")
    assert site.run(loaded_before, shared.path) == "first 1.0 searched"
    assert site.run(loaded_before, shared.path) == "first 1.0 searched"  # it may have been edited since: not remembered
    assert site.run(ASK, shared.path) == "first 1.0 searched"
    assert site.run(loaded_before, shared.path) == "first 1.0 remembered"
    edit(shared.path / "shared_names.py", "first", "second")
    assert site.run(ASK, shared.path) == "second 1.0 searched"


def test_development_metadata_gains_a_plugin_in_place(site: Site) -> None:
    source = (
        "from mercury_core import Provider, hookimpl\n@hookimpl\ndef mercury_read():\n    "
        "return [Provider('sample', 'os:getpid')]\n"
    )
    folder = site.install(
        "acme", {"acme_hooks.py": source}, "[console_scripts]\nacme = os:getpid\n", metadata="egg-info"
    )
    site.age()
    assert site.run(ASK) == "UnknownProviderError searched"
    ask = ASK.replace('registry.resolve("read", "sample")()', '"found"')
    (folder / "entry_points.txt").write_text("[mercury]\nacme = acme_hooks\n")  # does not touch the directory above
    assert site.run(ask) == "found 1.0 searched"


def test_a_moved_environment(remembered: Site) -> None:
    moved = remembered.another("moved")
    shutil.copytree(remembered.path, moved.path, dirs_exist_ok=True)
    edit(moved.path / "acme" / "target.py", "first", "moved")
    assert moved.run(ASK) == "moved 1.0 searched"
    assert remembered.run(ASK) == "first 1.0 remembered"


def test_another_environment_put_in_its_place(remembered: Site) -> None:
    other = remembered.another("other")
    other.plugin("acme", "sample", note="other")
    edit(other.path / "acme" / "hooks.py", "acme.target:provide", "acme.target:prov1de")
    edit(other.path / "acme" / "target.py", "provide", "prov1de")
    other.age()
    remembered.path.rename(remembered.path.parent / "away")
    other.path.rename(remembered.path)
    assert remembered.run(ASK) == "other 1.0 searched"


def test_the_lists_of_plugins_are_part_of_the_question(remembered: Site) -> None:
    remembered.plugin("other", "sample", note="other")
    remembered.age()
    for _ in range(2):
        assert remembered.run(ASK, MERCURY_DISABLE_PLUGINS="other").startswith("first 1.0")
        assert remembered.run(ASK, MERCURY_PLUGINS="other").startswith("other 1.0")
        assert remembered.run(ASK).startswith("AmbiguousProviderError")
    assert remembered.run(ASK, MERCURY_PLUGINS="other").endswith("remembered")


def test_the_working_directory_may_change_and_may_differ(remembered: Site, tmp_path: Path) -> None:
    cwd = tmp_path / "cwd"
    (cwd / "runs").mkdir()
    assert remembered.run(ASK) == "first 1.0 remembered"
    assert remembered.run("import os; os.chdir('runs')\n" + ASK.replace("\n    ", "\n")) == "first 1.0 remembered"


def test_a_working_directory_that_shadows_a_plugin_is_not_ignored(remembered: Site, tmp_path: Path) -> None:
    shutil.copytree(remembered.path / "acme", tmp_path / "cwd" / "acme")
    edit(tmp_path / "cwd" / "acme" / "hooks.py", "acme.target:provide", "acme.target:shadow")
    edit(tmp_path / "cwd" / "acme" / "target.py", "provide", "shadow")
    edit(tmp_path / "cwd" / "acme" / "target.py", "first", "shadow")
    assert remembered.run(ASK) == "shadow 1.0 searched"
    shutil.rmtree(tmp_path / "cwd" / "acme")
    assert remembered.run(ASK) == "first 1.0 remembered"


def test_a_working_directory_that_holds_metadata_is_evidence(remembered: Site, tmp_path: Path) -> None:
    here = remembered.another("cwd")
    here.plugin("local-one", "local.key")
    code = ASK.replace('"sample"', '"local.key"')
    assert remembered.run(code) == "local-one 1.0 searched"
    here.remove("local-one")
    assert remembered.run(code) == "UnknownProviderError searched"


def test_a_process_that_has_used_the_core_before_remembers_too(site: Site) -> None:
    site.plugin("acme", "sample", note="first")
    site.age()
    used = "import mercury_core.builtin.disk, mercury_core.data\n" + ASK.replace("\n    ", "\n")
    assert site.run(used) == "first 1.0 searched"
    assert site.run(ASK) == "first 1.0 remembered"


def test_young_evidence_is_not_trusted(site: Site) -> None:
    site.plugin("acme", "sample", note="first")
    assert site.run(ASK) == "first 1.0 searched"
    assert not site.cache.exists()
    site.age()
    future = time.time() + 3600
    os.utime(site.path / "acme" / "hooks.py", (future, future))
    assert site.run(ASK) == "first 1.0 searched"
    assert not site.cache.exists()


def test_a_broken_plugin_is_tried_again(site: Site) -> None:
    source = (
        "import os\nif 'HEAL' not in os.environ: raise RuntimeError\nfrom mercury_core import Provider, hookimpl\n"
        "@hookimpl\ndef mercury_read():\n    return [Provider('sample', 'acme_hooks:give')]\n"
        "def give(): return 'healed'\n"
    )
    site.install("acme", {"acme_hooks.py": source}, {"sample": "acme_hooks"})
    site.age()
    assert site.run(ASK) == "BrokenProviderError searched"
    assert site.run(ASK, HEAL="1") == "healed 1.0 searched"


def test_an_incompatible_plugin_is_remembered_with_its_reason(site: Site) -> None:
    site.install("acme", {"acme_hooks.py": "MERCURY_API = 9\n"}, {"acme": "acme_hooks"})
    site.age()
    code = """
        import sys
        from mercury_core import registry
        print([p.reason for p in registry.plugins() if p.distribution == "acme"], "pluggy" in sys.modules)
    """
    first, second = site.run(code), site.run(code)
    assert "version 9" in first
    assert (first.rpartition(" ")[0], second.rpartition(" ")[2]) == (second.rpartition(" ")[0], "False")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data.replace(b"acme.target", b"evil.target"),
        lambda data: b"\x00\xff" * 1000,
        lambda data: b"E\t00000000\n",
        lambda data: data.replace(discovery.FORMAT.encode(), b"mercury-index 0"),
    ],
)
def test_a_damaged_index_is_not_used_and_is_made_again(remembered: Site, damage: object) -> None:
    path = index_of(remembered)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert remembered.run(ASK) == "first 1.0 searched"
    assert remembered.run(ASK) == "first 1.0 remembered"


@pytest.mark.parametrize("change", [(b"mercury-index 1", b"mercury-index 0"), (b"K\t", b"K\tother")])
def test_an_index_of_another_format_or_environment_is_not_used(remembered: Site, change: tuple[bytes, bytes]) -> None:
    path = index_of(remembered)
    body = path.read_bytes().rpartition(b"E\t")[0].replace(*change, 1)
    path.write_bytes(body + b"E\t%08x\n" % zlib.crc32(body))  # whole, and not ours
    assert remembered.run(ASK) == "first 1.0 searched"


def test_an_index_that_others_can_write_is_not_used(remembered: Site) -> None:
    index_of(remembered).chmod(0o666)
    assert remembered.run(ASK) == "first 1.0 searched"
    assert remembered.run(ASK) == "first 1.0 remembered"
    assert index_of(remembered).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a file away")
def test_an_index_of_another_user_is_not_used(remembered: Site) -> None:
    os.chown(index_of(remembered), 65534, 65534)
    assert remembered.run(ASK) == "first 1.0 searched"


def test_an_index_behind_a_link_is_not_used(remembered: Site, tmp_path: Path) -> None:
    path = index_of(remembered)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert remembered.run(ASK) == "first 1.0 searched"


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(site: Site) -> None:
    site.plugin("acme", "sample", note="first")
    site.age()
    site.cache.write_text("a file where a directory should be")
    for _ in range(2):
        assert site.run(ASK) == "first 1.0 searched"
    assert site.cache.read_text() == "a file where a directory should be"


def test_a_read_only_cache_is_used_as_it_is(remembered: Site) -> None:
    remembered.cache.chmod(0o500)
    drop = "import os\nif hasattr(os, 'setgroups') and os.getuid() == 0: os.setresgid(65534, 65534, 65534)\n"
    try:
        assert remembered.run(ASK) == "first 1.0 remembered"
        edit(remembered.path / "acme" / "target.py", "first", "again")
        assert remembered.run(drop + ASK.replace("\n    ", "\n")) == "again 1.0 remembered"  # a target is not evidence
    finally:
        remembered.cache.chmod(0o700)


def test_many_processes_at_once(site: Site) -> None:
    site.plugin("acme", "sample", note="first")
    site.age()
    env = {**os.environ, "PYTHONPATH": str(site.path), "MERCURY_CACHE_DIR": str(site.cache)}
    code = "from mercury_core import registry; print(registry.resolve('read', 'sample')())"
    for _ in range(3):
        children = [
            subprocess.Popen(
                [sys.executable, "-B", "-c", code], env=env, stdout=subprocess.PIPE, text=True, cwd=site.path
            )
            for _ in range(4)
        ]
        assert [child.communicate()[0].strip() for child in children] == ["first"] * 4
    assert [path.suffix for path in site.cache.iterdir()] == [".index"]  # whole, and no draft left


def test_indexes_of_environments_long_gone_are_dropped(remembered: Site) -> None:
    old = remembered.cache / "providers-0000000000000000.index"
    old.write_text("")
    foreign = remembered.cache / "something-else"
    foreign.write_text("")
    for path in (old, foreign):
        os.utime(path, (0, 0))
    remembered.plugin("other", "other.key")
    remembered.age()
    remembered.run(ASK)
    assert not old.exists()
    assert foreign.exists()


def test_everything_that_can_be_in_a_record_comes_back(site: Site) -> None:
    summary = "tab\tnewline\nreturn\rbackslash\\t é \u2028 \\\\n"
    source = f"""
        from mercury_core import Provider, hookimpl

        @hookimpl
        def mercury_read():
            return [Provider("sample", "os:getpid", {summary!r}, install="acme[all]>=1")]
        """
    site.install("acme", {"acme_hooks.py": source}, {"acme": "acme_hooks"})
    site.age()
    code = "from mercury_core import registry; print(ascii(registry.provider_of('read', 'sample')))"
    first = site.run(code)
    assert ascii(summary) in first
    assert site.run(code) == first
    assert index_of(site)


def test_the_cache_directory_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERCURY_CACHE_DIR", "/chosen")
    assert discovery.cache_directory() == "/chosen"
    monkeypatch.delenv("MERCURY_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("HOME", "/somewhere/me")
    monkeypatch.setattr(sys, "platform", "linux")
    assert discovery.cache_directory() == os.path.join("/xdg", "mercury-ml")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert discovery.cache_directory() == os.path.join("/somewhere/me/.cache", "mercury-ml")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert discovery.cache_directory() == os.path.join("/somewhere/me/Library/Caches", "mercury-ml")
