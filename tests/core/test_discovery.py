"""Plugins are found whatever way they were installed, and one that is wrong is set aside with its reason."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mercury_core.errors import BrokenPluginError, BrokenProviderError
from mercury_core.registry import Registry

if TYPE_CHECKING:
    from conftest import Site

    from mercury_core.plugins import PluginStatus

HOOKS = """
    from mercury_core import Provider, hookimpl

    @hookimpl
    def mercury_read():
        return [Provider("sample", "{package}.target:provide")]
"""


def status(registry: Registry, distribution: str) -> PluginStatus:
    (found,) = [plugin for plugin in registry.plugins() if plugin.distribution == distribution]
    return found


def with_hooks(site: Site, source: str, name: str = "odd", **more: str) -> PluginStatus:
    """Install a plugin with these hooks beside a good one, and give back its status."""
    site.plugin("good", "good.one")
    package = name.replace("-", "_")
    site.install(name, {f"{package}_hooks.py": source, **more}, {name: f"{package}_hooks"})
    registry = Registry()
    found = status(registry, name)
    assert registry.resolve("read", "good.one")() == "good"  # everything else works
    return found


def test_a_plugin_is_found_with_all_that_it_registers(site: Site) -> None:
    site.plugin("acme-io", "acme.rows", version="1.2")
    registry = Registry()
    found = status(registry, "acme-io")
    assert (found.version, found.entry_point, found.status, found.reason) == ("1.2", "acme-io", "ok", "")
    assert found.providers == ("read:acme.rows",)
    record = registry.provider_of("read", "acme.rows")
    assert record is not None
    assert (record.verb, record.owner, record.version) == ("read", "acme-io", "1.2")
    assert record.summary == "Summary of acme-io"


def test_the_core_comes_through_the_same_door(site: Site) -> None:
    found = status(Registry(), "mercury-ml-core")
    assert (found.entry_point, found.status) == ("builtin", "ok")
    assert {"read:csv", "copy:file", "execute:local", "transform:split"} <= set(found.providers)


def test_every_verb_can_be_registered_by_any_iterable(site: Site) -> None:
    verbs = ("read", "transform", "fit", "evaluate", "save", "copy", "serve", "execute")
    source = "from mercury_core import Provider, hookimpl\n" + "".join(
        f"@hookimpl\ndef mercury_{verb}():\n    yield Provider('all.one', 'os:getcwd')\n" for verb in verbs
    )
    site.install("all-verbs", {"all_hooks.py": source}, {"all": "all_hooks"})
    registry = Registry()
    assert status(registry, "all-verbs").providers == tuple(f"{verb}:all.one" for verb in verbs)
    assert [record.verb for record in registry.providers() if record.key == "all.one"] == list(verbs)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no licence')", "Loading odd_hooks raised RuntimeError: no licence"),
        ("import missing_sdk", "Loading odd_hooks raised ModuleNotFoundError: No module named 'missing_sdk'"),
        ("raise SystemExit(3)", "Loading odd_hooks raised SystemExit: 3"),
        ("def mercury_read(:", "Loading odd_hooks raised SyntaxError"),
        (
            "from mercury_core import hookimpl\n@hookimpl\ndef mercury_raed(): return []",
            "There is no hook 'mercury_raed'. Did you mean 'mercury_read'",
        ),
        ("def mercury_read(): return []", "mercury_read is not marked with @hookimpl, so it would never be called."),
        (
            "from mercury_core import hookimpl\n@hookimpl\ndef mercury_read(key): return []",
            "Argument(s) {'key'} are declared in the hookimpl but can not be found in the hookspec",
        ),
        (
            "from mercury_core import hookimpl\n@hookimpl\ndef mercury_read(): return ['csv']",
            "Its mercury_read gave back str, not Provider records.",
        ),
        (
            "from mercury_core import hookimpl, Provider\n@hookimpl\n"
            "def mercury_read(): return Provider('x', 'os:getcwd')",
            "Its mercury_read raised TypeError: 'Provider' object is not iterable",
        ),
        (
            "from mercury_core import hookimpl, Provider\n@hookimpl\ndef mercury_read(): return [Provider('x', 'os')]",
            "Its mercury_read raised ValueError: The provider 'x' has the target 'os': expected 'module:name'.",
        ),
        (
            "from mercury_core import hookimpl, Provider\n@hookimpl\ndef mercury_read():\n"
            "    return [Provider('x', 'os:getcwd'), Provider('x', 'os:getpid')]",
            "It registers 'x' for 'read' twice: as os:getcwd and as os:getpid.",
        ),
    ],
)
def test_a_broken_plugin_is_set_aside_with_its_reason(site: Site, source: str, reason: str) -> None:
    found = with_hooks(site, source)
    assert found.status == "broken"
    assert reason in found.reason
    assert found.providers == ()


@pytest.mark.parametrize("stated", ["2", "0", "'1'"])
def test_a_plugin_for_another_version_of_the_hooks_is_incompatible(site: Site, stated: str) -> None:
    found = with_hooks(site, f"MERCURY_API = {stated}\n" + HOOKS.replace("\n    ", "\n").format(package="odd"))
    assert found.status == "incompatible"
    assert f"written for version {stated} of Mercury's plugin hooks, and this core has version 1" in found.reason
    assert "install another version of odd or of mercury-ml-core" in found.reason


def test_a_plugin_that_states_this_version_is_welcome(site: Site) -> None:
    found = with_hooks(site, "MERCURY_API = 1\n" + HOOKS.replace("\n    ", "\n").format(package="odd"))
    assert (found.status, found.providers) == ("ok", ("read:sample",))


def test_an_entry_point_may_name_an_object(site: Site) -> None:
    source = """
        from mercury_core import Provider, hookimpl

        class Plugin:
            MERCURY_API = 1

            @hookimpl
            def mercury_read(self):
                return [Provider("object.one", "os:getcwd")]

        plugin = Plugin()
        """
    site.install("as-object", {"as_object.py": source}, {"as-object": "as_object:plugin"})
    assert status(Registry(), "as-object").providers == ("read:object.one",)


def test_a_damaged_distribution_is_set_aside(site: Site) -> None:
    folder = site.plugin("hurt")
    (folder / "METADATA").unlink()
    site.install("worse", {}, {"worse": "not a reference!"})
    found = {plugin.distribution: plugin for plugin in Registry().plugins()}
    assert found["hurt"].status == "broken"
    assert "Its metadata cannot be read" in found["hurt"].reason
    assert found["worse"].status == "broken"


def test_one_distribution_may_have_two_entry_points(site: Site) -> None:
    hooks = HOOKS.replace('"sample"', '"{key}"')
    site.install(
        "two-doors",
        {"doors_a.py": hooks.format(key="door.a", package="x"), "doors_b.py": hooks.format(key="door.b", package="x")},
        {"a": "doors_a", "b": "doors_b"},
    )
    found = [plugin for plugin in Registry().plugins() if plugin.distribution == "two-doors"]
    assert [(plugin.entry_point, plugin.providers) for plugin in found] == [
        ("a", ("read:door.a",)),
        ("b", ("read:door.b",)),
    ]


def test_two_entry_points_of_one_distribution_may_not_bring_one_key(site: Site) -> None:
    hooks = HOOKS.format(package="x")
    site.install("two-doors", {"doors_a.py": hooks, "doors_b.py": hooks}, {"a": "doors_a", "b": "doors_b"})
    first, second = [plugin for plugin in Registry().plugins() if plugin.distribution == "two-doors"]
    assert (first.status, second.status) == ("ok", "broken")
    assert "It registers 'sample' for 'read' twice" in second.reason


def test_two_distributions_may_have_entry_points_of_one_name(site: Site) -> None:
    for name in ("left", "right"):
        hooks = HOOKS.replace('"sample"', f'"{name}.key"').format(package=name)
        site.install(name, {f"{name}_hooks.py": hooks}, {"same": f"{name}_hooks"})
    registry = Registry()
    assert registry.provider_of("read", "left.key") is not None
    assert registry.provider_of("read", "right.key") is not None


def test_a_plugin_twice_on_the_path_is_one_plugin_the_first(site: Site) -> None:
    older = site.another("older")
    older.plugin("twin", "twin.key", version="1.0", note="older")
    site.plugin("twin", "twin.key", version="2.0", note="newer")
    sys.path.append(str(older.path))
    sys.path.append(str(site.path))  # and the same directory twice
    registry = Registry()
    assert status(registry, "twin").version == "2.0"
    assert registry.resolve("read", "twin.key")() == "newer"


def test_a_distribution_that_hides_a_plugin_hides_it_whole(site: Site) -> None:
    later = site.another("later")
    later.plugin("hidden", "hidden.key")
    site.install("hidden", {}, "", version="2.0")  # the first on the path has no plugin
    sys.path.append(str(later.path))
    assert not [plugin for plugin in Registry().plugins() if plugin.distribution == "hidden"]


def test_development_metadata_is_read(site: Site) -> None:
    site.install("in-place", {"in_place.py": HOOKS.format(package="x")}, {"in-place": "in_place"}, metadata="egg-info")
    found = status(Registry(), "in-place")
    assert (found.version, found.providers) == ("1.0", ("read:sample",))


def test_an_archive_on_the_path_is_read_and_not_remembered(site: Site) -> None:
    site.plugin("packed", "packed.key")
    archive = shutil.make_archive(str(site.path.parent / "packed"), "zip", site.path)
    site.remove("packed")
    site.age()
    code = "from mercury_core import registry; print(registry.resolve('read', 'packed.key')())"
    assert site.run(code, Path(archive)) == "packed"
    assert not [*site.cache.glob("*")]


def test_an_allow_list_loads_only_those_and_the_core(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.plugin("allowed-one", "allowed.key")
    site.plugin("other-one", "other.key")
    monkeypatch.setenv("MERCURY_PLUGINS", " Allowed_One ,")  # names are compared as PEP 503 says
    registry = Registry()
    assert {record.owner for record in registry.providers()} == {"allowed-one", "mercury-ml-core"}
    other = status(registry, "other-one")
    assert (other.status, other.reason) == ("disabled", "MERCURY_PLUGINS does not name it.")
    assert "other_one.hooks" not in sys.modules
    assert "allowed_one.hooks" in sys.modules


def test_an_allow_list_that_names_what_is_not_there_is_reported(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERCURY_PLUGINS", "alowed-one")
    found = status(Registry(), "alowed-one")
    assert found.status == "broken"
    assert "MERCURY_PLUGINS names it, and no such plugin is installed" in found.reason


def test_a_deny_list_loads_all_but_those(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.plugin("denied-one", "denied.key")
    site.plugin("other-one", "other.key")
    monkeypatch.setenv("MERCURY_DISABLE_PLUGINS", "denied.one,mercury-ml-core")
    registry = Registry()
    assert not {"denied-one", "mercury-ml-core"} & {record.owner for record in registry.providers()}
    assert registry.resolve("read", "other.key")() == "other-one"
    assert status(registry, "denied-one").reason == "MERCURY_DISABLE_PLUGINS names it."
    assert "denied_one.hooks" not in sys.modules


def test_strictness_makes_a_plugin_set_aside_an_error(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("odd", {"odd_hooks.py": "raise RuntimeError('no licence')"}, {"odd": "odd_hooks"})
    monkeypatch.setenv("MERCURY_STRICT", "1")
    registry = Registry()
    for call in (
        lambda: registry.resolve("read", "csv"),
        registry.providers,
        lambda: registry.provider_of("read", "csv"),
    ):
        with pytest.raises(BrokenPluginError, match="odd: Loading odd_hooks raised RuntimeError: no licence"):
            call()
    assert status(registry, "odd").status == "broken"  # what is wrong can still be listed
    monkeypatch.setenv("MERCURY_DISABLE_PLUGINS", "odd")
    assert Registry().provider_of("read", "csv") is not None  # disabled is not broken


def test_the_cause_of_a_broken_plugin_is_chained(site: Site) -> None:
    site.install("odd", {"odd_hooks.py": "import missing_sdk"}, {"odd": "odd_hooks"})
    with pytest.raises(
        BrokenProviderError, match=r"odd\.key.*of odd is installed but broken: loading odd_hooks"
    ) as caught:
        Registry().resolve("read", "odd.key")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert caught.value.__cause__.name == "missing_sdk"


OBSERVER = """
    from mercury_core import hookimpl

    SEEN = []

    @hookimpl
    def mercury_step_finished(step, seconds):
        SEEN.append((step, seconds))
        {then}
"""


@pytest.mark.parametrize(
    ("then", "raised"),
    [("raise ValueError('full disk')", "ValueError: full disk"), ("raise SystemExit(4)", "SystemExit: 4")],
)
def test_observers_are_told_and_one_that_raises_breaks_nothing(
    site: Site, caplog: pytest.LogCaptureFixture, then: str, raised: str
) -> None:
    site.install("a-watcher", {"watch_a.py": OBSERVER.format(then=then)}, {"watch": "watch_a"})
    site.install("z-watcher", {"watch_z.py": OBSERVER.format(then="")}, {"watch": "watch_z"})
    registry = Registry()
    with caplog.at_level(logging.WARNING):
        for step in ("one", "two"):
            registry.lifecycle("mercury_step_finished", run="r", step=step, seconds=0.5, result={})
    assert sys.modules["watch_a"].SEEN == sys.modules["watch_z"].SEEN == [("one", 0.5), ("two", 0.5)]
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"The observer mercury_step_finished of a-watcher raised {raised}"] * 2
    assert not any(record.exc_info for record in caplog.records)  # a traceback is for who asks for it
    registry.lifecycle("mercury_run_started", run="r", config={})  # which neither observes
    assert len(sys.modules["watch_z"].SEEN) == 2


def test_an_observer_that_was_remembered_is_loaded_when_it_is_needed(site: Site) -> None:
    then = "print(step)"
    site.install("watcher", {"watch_it.py": OBSERVER.format(then=then)}, {"watch": "watch_it"})
    site.age()
    code = """
        import sys
        from mercury_core import registry
        registry.lifecycle("mercury_run_started", run="r", config={})
        print("pluggy" in sys.modules)
        registry.lifecycle("mercury_step_finished", run="r", step="one", seconds=0.5, result={})
    """
    assert site.run(code).split() == ["True", "one"]
    assert site.run(code).split() == ["False", "one"]


def test_an_observer_that_cannot_be_loaded_any_more_is_logged(site: Site) -> None:
    guard = "    import os\n    if 'REFUSE' in os.environ: raise RuntimeError('not today')\n"
    source = guard.replace("\n    ", "\n").lstrip() + OBSERVER.format(then="print(step)").replace("\n    ", "\n")
    site.install("watcher", {"watch_it.py": source}, {"watch": "watch_it"})
    site.age()
    code = """
        import logging, sys
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        from mercury_core import registry
        registry.lifecycle("mercury_step_finished", run="r", step="one", seconds=0.5, result={})
    """
    assert site.run(code) == "one"
    assert site.run(code, REFUSE="1") == "The plugin watch of watcher cannot observe: RuntimeError: not today"
