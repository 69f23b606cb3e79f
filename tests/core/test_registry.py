"""One key, one provider, or one error that says what is the matter."""

from __future__ import annotations

import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from mercury_core import discovery, known, registry
from mercury_core.errors import (
    AmbiguousProviderError,
    ArgumentsError,
    BrokenProviderError,
    PluginError,
    ProviderNotInstalledError,
    UnknownProviderError,
    UnknownReferenceError,
)
from mercury_core.registry import Registry

if TYPE_CHECKING:
    from conftest import Site


@pytest.fixture
def fresh(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site, and a default registry that has not looked at it yet."""
    monkeypatch.setattr(registry, "_default", None)
    return site


# --- listing and resolving ---


def test_listing_imports_no_target_and_resolving_imports_one(site: Site) -> None:
    for name in ("left", "right"):
        site.plugin(name, f"{name}.key")
    reg = Registry()
    assert {"left.key", "right.key"} <= {record.key for record in reg.providers("read")}
    assert not {"left.target", "right.target"} & sys.modules.keys()
    assert reg.resolve("read", "left.key")() == "left"
    assert "left.target" in sys.modules
    assert "right.target" not in sys.modules


def test_records_come_by_verb_and_key(site: Site) -> None:
    site.plugin("zeta", "a.key", verb="serve")
    site.plugin("alpha", "z.key", verb="serve")
    records = Registry().providers()
    order = [(discovery.VERBS.index(record.verb), record.key) for record in records]
    assert order == sorted(order)
    assert [record.key for record in Registry().providers("serve") if record.owner in ("zeta", "alpha")] == [
        "a.key",
        "z.key",
    ]
    assert Registry().providers("no-such-verb") == []


def test_constructing_a_provider_opens_no_connection(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Registry().resolve("copy", "file")

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    assert callable(store().stat)


def test_a_callable_is_its_own_provider(site: Site) -> None:
    def mine(source: str) -> str:
        return source

    assert Registry().resolve("read", mine) is mine
    assert Registry().provider_of("read", mine) is None


def test_an_object_with_the_methods_of_a_format_is_its_own_provider(site: Site) -> None:
    class Format:
        def save(self, model: object, path: object) -> None: ...

    mine = Format()
    assert Registry().resolve("save", mine) is mine  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [None, 3, ["csv"]])
def test_what_is_neither_key_nor_callable_is_refused(site: Site, wrong: object) -> None:
    with pytest.raises(ArgumentsError, match=r"Expected a key, 'package\.module:function' or a callable\."):
        Registry().resolve("read", wrong)  # type: ignore[arg-type]


def test_a_reference_works_wherever_a_key_does(site: Site) -> None:
    (site.path / "my_package").mkdir()
    (site.path / "my_package" / "mine.py").write_text(
        "class Reader:\n    @staticmethod\n    def read(source): return source\n"
    )
    assert Registry().resolve("read", "my_package.mine:Reader.read")("x") == "x"
    assert Registry().provider_of("read", "my_package.mine:Reader.read") is None
    assert not site.cache.exists()  # nothing was searched for it


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("no_such_package.mine:read", "there is no module 'no_such_package'"),
        ("os.pathh:join", "there is no module 'os.pathh'"),
        ("os:getcwdd", "os has no 'getcwdd'. Did you mean 'getcwd'"),
        ("os:path.jion", "has no 'jion'. Did you mean 'join'"),
        ("my module:read", "it is not of that form"),
        ("os:", "it is not of that form"),
        (":read", "it is not of that form"),
        ("a:b:c", "it is not of that form"),
        ("s3://bucket/key", "it is not of that form"),
    ],
)
def test_a_reference_that_leads_nowhere(site: Site, reference: str, said: str) -> None:
    with pytest.raises(UnknownReferenceError) as caught:
        Registry().resolve("read", reference)
    assert said in str(caught.value)
    assert "Expected 'package.module:name', importable from where Python runs." in str(caught.value)


@pytest.mark.parametrize(("source", "cause"), [("import no_sdk", ModuleNotFoundError), ("1 / 0", ZeroDivisionError)])
def test_a_reference_to_a_broken_module(site: Site, source: str, cause: type[Exception]) -> None:
    (site.path / "my_module.py").write_text(source)
    with pytest.raises(
        BrokenProviderError, match="of my_module is installed but broken: loading my_module:f"
    ) as caught:
        Registry().resolve("read", "my_module:f")
    assert isinstance(caught.value.__cause__, cause)


# --- collisions ---


def test_two_distributions_with_one_key_are_never_chosen_between(site: Site) -> None:
    site.plugin("acme-one", "shared.key")
    site.plugin("Acme.Two", "shared.key")
    reg = Registry()
    for ask in (reg.resolve, reg.provider_of):
        with pytest.raises(AmbiguousProviderError) as caught:
            ask("read", "shared.key")
        said = str(caught.value)
        for part in (
            "acme-one",
            "Acme.Two",
            "'shared.key@acme-one'",
            "'shared.key@Acme.Two'",
            "MERCURY_DISABLE_PLUGINS",
        ):
            assert part in said
    assert reg.resolve("read", "shared.key@acme-one")() == "acme-one"
    assert reg.resolve("read", "shared.key@acme_TWO")() == "Acme.Two"  # names as PEP 503 compares them
    record = reg.provider_of("read", "shared.key@acme-two")
    assert record is not None
    assert (record.key, record.owner) == ("shared.key", "Acme.Two")
    assert sum(record.key == "shared.key" for record in reg.providers("read")) == 2


def test_one_key_for_two_verbs_is_no_collision(site: Site) -> None:
    site.plugin("one", "json.lines")
    site.plugin("two", "json.lines", verb="save")
    assert Registry().resolve("read", "json.lines")() == "one"
    assert Registry().resolve("save", "json.lines")() == "two"


def test_a_choice_that_is_not_there_names_those_that_are(site: Site) -> None:
    with pytest.raises(UnknownProviderError, match="csv@mercury-ml-core"):
        Registry().resolve("read", "csv@mercury-ml-cor")


# --- the four errors ---


def test_unknown_names_the_nearest_keys_of_that_verb(site: Site) -> None:
    with pytest.raises(UnknownProviderError) as caught:
        Registry().resolve("read", "cvs")
    assert "No provider 'cvs' for 'read'. Did you mean 'csv'?" in str(caught.value)
    assert "`mercury-ml providers read`" in str(caught.value)
    assert caught.value.nearest == ["csv"]
    with pytest.raises(UnknownProviderError) as other:
        Registry().resolve("copy", "cvs")
    assert "csv" not in str(other.value)


def test_unknown_says_which_plugins_were_set_aside(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("odd", {"odd_hooks.py": "raise RuntimeError('no licence')"}, {"odd": "odd_hooks"})
    site.plugin("quiet", "quiet.key")
    site.plugin("far", "far.key")
    monkeypatch.setenv("MERCURY_DISABLE_PLUGINS", "quiet,far")
    with pytest.raises(UnknownProviderError) as caught:
        Registry().resolve("read", "quiet.key")
    assert "odd: Loading odd_hooks raised RuntimeError: no licence" in str(caught.value)
    assert "quiet: MERCURY_DISABLE_PLUGINS names it." in str(caught.value)
    assert "far:" not in str(caught.value)


@pytest.mark.parametrize(
    ("verb", "key", "install"),
    [
        ("copy", "s3", "mercury-s3"),
        ("copy", "gs", "mercury-gcs"),
        ("serve", "http", "mercury-http"),
        ("execute", "ray", "mercury-ray"),
        ("fit", "keras.fit", "mercury-keras"),
        ("copy", "s3@mercury-s3", "mercury-s3"),
    ],
)
def test_known_but_not_installed_gives_the_pip_line(site: Site, verb: str, key: str, install: str) -> None:
    reg = Registry()
    if any(discovery.normalise(plugin.distribution) == install for plugin in reg.plugins()):
        pytest.skip(f"{install} is installed here")
    with pytest.raises(ProviderNotInstalledError, match=f"pip install {install}$") as caught:
        reg.resolve(verb, key)
    assert caught.value.install == install


def test_known_and_disabled_is_not_called_missing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.plugin("mercury-s3", "s3", verb="copy")
    monkeypatch.setenv("MERCURY_PLUGINS", "mercury-ray")
    with pytest.raises(UnknownProviderError, match="mercury-s3: MERCURY_PLUGINS does not name it"):
        Registry().resolve("copy", "s3")
    with pytest.raises(ProviderNotInstalledError, match="pip install mercury-ray"):
        Registry().resolve("execute", "ray")


def test_known_and_installed_without_that_key_is_unknown(site: Site) -> None:
    site.plugin("mercury-keras", "keras.fit", verb="fit")
    with pytest.raises(UnknownProviderError, match=r"Did you mean 'keras\.fit'"):
        Registry().resolve("fit", "keras.fitt")


def test_known_and_broken_chains_the_real_cause(site: Site) -> None:
    site.install("mercury-s3", {"s3_hooks.py": "import no_such_sdk"}, {"s3": "s3_hooks"})
    with pytest.raises(BrokenProviderError, match="of mercury-s3 is installed but broken") as caught:
        Registry().resolve("copy", "s3")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_incompatible_is_broken_with_its_reason_as_the_cause(site: Site) -> None:
    site.install("mercury-s3", {"s3_hooks.py": "MERCURY_API = 7"}, {"s3": "s3_hooks"})
    with pytest.raises(BrokenProviderError, match="written for version 7 of Mercury's plugin hooks"):
        Registry().resolve("copy", "s3")


def target(site: Site, source: str, install: str = "") -> Registry:
    hooks = f"""
        from mercury_core import Provider, hookimpl

        @hookimpl
        def mercury_read():
            return [Provider("odd.key", "odd_target:provide", install={install!r})]
        """
    site.install("odd", {"odd_hooks.py": hooks, "odd_target.py": source}, {"odd": "odd_hooks"})
    return Registry()


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_sdk", ModuleNotFoundError),
        ("from os import no_such_name", ImportError),
        ("raise RuntimeError('no driver')", RuntimeError),
        ("raise SystemExit(2)", SystemExit),
        ("def other(): ...", AttributeError),
        ("def provide(:", SyntaxError),
    ],
)
def test_broken_chains_the_real_cause(site: Site, source: str, cause: type[BaseException]) -> None:
    reg = target(site, source)
    assert reg.provider_of("read", "odd.key") is not None
    with pytest.raises(
        BrokenProviderError, match="of odd is installed but broken: loading odd_target:provide"
    ) as caught:
        reg.resolve("read", "odd.key")
    assert isinstance(caught.value.__cause__, cause)


def test_a_target_whose_optional_package_is_missing_gives_the_pip_line(site: Site) -> None:
    with pytest.raises(ProviderNotInstalledError, match=r"pip install odd\[sdk\]$") as caught:
        target(site, "import no_such_sdk", install="odd[sdk]").resolve("read", "odd.key")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_module_of_the_plugin_that_is_missing_is_broken_and_no_pip_line(site: Site) -> None:
    reg = target(site, "import odd_target.inner", install="odd[sdk]")
    with pytest.raises(BrokenProviderError):
        reg.resolve("read", "odd.key")


def test_an_interrupt_is_never_an_error_of_a_plugin(site: Site) -> None:
    with pytest.raises(KeyboardInterrupt):
        target(site, "raise KeyboardInterrupt").resolve("read", "odd.key")


def test_all_of_them_are_plugin_errors_of_wrong_input() -> None:
    errors = (
        UnknownProviderError,
        ProviderNotInstalledError,
        BrokenProviderError,
        ArgumentsError,
        AmbiguousProviderError,
    )
    assert all(issubclass(error, PluginError) and error.exit_code == 2 for error in errors)
    for one in errors:
        assert not [other for other in errors if other is not one and issubclass(one, other)]


# --- while the process runs ---


def test_a_plugin_installed_while_the_process_runs_is_found(site: Site) -> None:
    reg = Registry()
    with pytest.raises(UnknownProviderError):
        reg.resolve("read", "late.key")
    site.plugin("late", "late.key")
    assert reg.resolve("read", "late.key")() == "late"
    assert reg.provider_of("read", "late.key") is not None


def test_a_miss_searches_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from mercury_core import plugins

    searches = []
    real = plugins.scan
    monkeypatch.setattr(plugins, "scan", lambda: searches.append(1) or real())
    reg = Registry()
    reg.providers()
    assert len(searches) == 1
    with pytest.raises(UnknownProviderError):
        reg.resolve("read", "nothing.key")
    assert len(searches) == 2
    reg.resolve("copy", "file")
    assert len(searches) == 2


def test_a_plugin_removed_while_the_process_runs_is_missed_properly(site: Site) -> None:
    site.plugin("gone", "gone.key")
    reg = Registry()
    assert reg.provider_of("read", "gone.key") is not None
    site.remove("gone")
    with pytest.raises(UnknownProviderError):
        reg.resolve("read", "gone.key")


def test_threads_share_one_search(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from mercury_core import plugins

    site.plugin("shared", "shared.key")
    searches, answers = [], []
    real = plugins.scan
    monkeypatch.setattr(plugins, "scan", lambda: searches.append(1) or real())
    reg = Registry()
    threads = [threading.Thread(target=lambda: answers.append(reg.resolve("read", "shared.key")())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (answers, len(searches)) == (["shared"] * 8, 1)


# --- containers ---


def test_containers_are_mappings_of_one_verb(fresh: Site) -> None:
    fresh.plugin("acme", "acme.rows")
    readers = registry.SourceReaders
    assert readers["acme.rows"]() == "acme"
    assert {"csv", "acme.rows"} <= set(readers.keys())
    assert list(readers) == sorted(readers)
    assert len(readers) == len(list(readers)) == len(registry.providers("read"))
    assert "csv" in readers
    assert "csv@mercury-ml-core" in readers
    assert "cvs" not in readers
    assert 3 not in readers
    assert readers.get("cvs") is None
    assert readers.get("acme.rows")() == "acme"
    assert readers == registry.SourceReaders
    assert "file" in registry.ArtifactCopiers
    assert "local" in registry.Engines
    with pytest.raises(UnknownProviderError, match="Did you mean 'csv'"):
        readers["cvs"]


def test_containers_complete_their_keys(fresh: Site) -> None:
    fresh.plugin("acme", "rows")
    fresh.plugin("other", "acme.rows")
    assert {"csv", "rows", "acme.rows"} <= set(registry.SourceReaders._ipython_key_completions_())
    assert {"rows", "keys", "get"} <= set(dir(registry.SourceReaders))
    assert "acme.rows" not in dir(registry.SourceReaders)
    assert registry.SourceReaders.rows() == "acme"
    with pytest.raises(AttributeError, match="SourceReaders has no 'rosw': it has"):
        _ = registry.SourceReaders.rosw
    assert not hasattr(registry.SourceReaders, "_repr_html_")


def test_containers_show_a_table_and_import_nothing_for_it(fresh: Site) -> None:
    fresh.plugin("acme", "acme.rows", version="3.1")
    shown = repr(registry.SourceReaders).splitlines()
    assert shown[0] == "SourceReaders (read):"
    (line,) = [line for line in shown if "acme" in line]
    assert line.split() == ["acme.rows", "Summary", "of", "acme", "acme", "3.1"]
    assert "acme.target" not in sys.modules


def test_containers_list_a_shared_key_as_what_can_be_chosen(fresh: Site) -> None:
    fresh.plugin("one", "shared.key")
    fresh.plugin("two", "shared.key")
    assert [key for key in registry.SourceReaders if key.startswith("shared")] == ["shared.key@one", "shared.key@two"]
    assert registry.SourceReaders["shared.key@two"]() == "two"


def test_an_empty_container_has_a_repr(fresh: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERCURY_PLUGINS", "mercury-ml-core")
    assert repr(registry.ModelServers) == "ModelServers (serve): none is installed"


def test_the_module_is_the_default_registry(fresh: Site) -> None:
    fresh.plugin("acme", "acme.rows")
    assert registry.resolve("read", "acme.rows")() == "acme"
    assert registry.provider_of("read", "acme.rows").owner == "acme"
    assert "acme" in {plugin.distribution for plugin in registry.plugins()}
    registry.lifecycle("mercury_run_started", run="r", config={})
    assert registry.default() is registry.default()


# --- names ---


@given(st.text(alphabet="aB1-_.", min_size=1))
def test_names_of_distributions_compare_as_pep_503_says(name: str) -> None:
    import re

    assert discovery.normalise(name) == re.sub(r"[-_.]+", "-", name).lower().strip("-")
    assert discovery.normalise(discovery.normalise(name)) == discovery.normalise(name)


@given(st.text())
def test_every_text_survives_the_index(text: str) -> None:
    written = discovery._escape(text)
    assert not set(written) & set("\t\n\r")
    assert discovery._unescape(written) == text


def test_every_known_key_is_of_a_verb_and_of_its_plugin() -> None:
    for (verb, key), distribution in known.KEYS.items():
        assert verb in discovery.VERBS
        assert known.distribution_of(verb, key) == distribution
        prefix, _, name = key.partition(".")
        # A technology's own plugin has all its keys, but for a format that another one reads without it.
        assert distribution in (known.PREFIXES.get(prefix, distribution), f"mercury-{name}")


def test_known_plugins_of_this_tree_are_known_by_their_names() -> None:
    from pathlib import Path

    for folder in (Path(__file__).parents[2] / "plugins").iterdir():
        assert folder.name in {*known.PREFIXES.values(), *known.KEYS.values()}
