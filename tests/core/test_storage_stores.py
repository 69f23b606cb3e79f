"""Which store serves a URI, and with which parameters."""

from __future__ import annotations

from typing import Any

import pytest

from mercury_core import registry
from mercury_core.builtin.disk import FileStore
from mercury_core.errors import ArgumentsError, UnknownProviderError
from mercury_core.storage.stores import Stores, faults_of


class Bucket:
    def __init__(self, region: str = "", tags: dict[str, str] | None = None) -> None:
        self.region, self.tags = region, tags


@pytest.fixture(autouse=True)
def buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry.resolve
    monkeypatch.setattr(registry, "resolve", lambda verb, key: Bucket if key in ("bb", "cc") else found(verb, key))


@pytest.mark.parametrize(
    ("uri", "region"),
    [
        ("bb://one/x", "scheme"),
        ("bb://two", "two"),
        ("Bb://two/", "two"),
        ("bb://two/x", "two"),
        ("bb://two2/x", "scheme"),
        ("bb://two/models/m", "models"),
        ("bb://two/models2", "two"),
        ("cc://two/models", ""),
        ("cc://bare", "bare"),
    ],
)
def test_the_longest_that_fits_counts_and_whole_names_only(uri: str, region: str) -> None:
    settings = {
        "bb": {"region": "scheme"},
        "bb://two/models/": {"region": "models"},
        "Bb://two": {"region": "two"},
        "cc://bare": {"region": "bare"},
    }
    store: Any = Stores(settings).of(uri)
    assert store.region == region


def test_one_store_for_each_scheme_and_parameters() -> None:
    stores = Stores({"bb://one": {"tags": {"a": "b"}}, "bb://two": {"tags": {"a": "b"}}, "bb://three": {"region": "x"}})
    assert stores.of("bb://one/x") is stores.of("bb://two")
    assert stores.of("bb://one") is not stores.of("bb://three")
    assert stores.of("bb://four") is not stores.of("cc://four")
    assert isinstance(stores.of("models/m"), FileStore)
    assert stores.of("models/m") is stores.of("file:///tmp/m")


def test_wrong_settings() -> None:
    with pytest.raises(ArgumentsError, match=r"'bb' has no parameter 'regoin'\. Did you mean 'region'"):
        Stores({"bb": {"regoin": "x"}}).of("bb://x")
    with pytest.raises(ArgumentsError, match="'region' of 'bb' must be str"):
        Stores({"bb": {"region": 3}}).of("bb://x")
    with pytest.raises(ArgumentsError, match="The settings of 'bb' must map names of parameters to values: got str"):
        Stores({"bb": "region"})  # type: ignore[dict-item]
    with pytest.raises(ArgumentsError, match="Settings of stores map a scheme or a URI to parameters: got list"):
        Stores(["bb"])  # type: ignore[arg-type]
    for key in ("bb:", "bb:/one", "bb/one", "", "://one"):
        with pytest.raises(ArgumentsError, match=f"'{key}' begins no URI: write a scheme, as s3, or more of it"):
            Stores({key: {}})
        assert [fault.path for fault in faults_of({key: {}})] == [(key,)]
    with pytest.raises(UnknownProviderError, match="'bogus'"):
        Stores().of("bogus://x")
