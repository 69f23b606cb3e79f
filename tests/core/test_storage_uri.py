"""URIs and paths."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from mercury_core import registry
from mercury_core.errors import UriError
from mercury_core.storage.uri import is_remote, join, name_of, relative_name, scheme_of, to_path

names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [
        ("models/m", "file"),
        ("/models/m", "file"),
        ("file:///models/m", "file"),
        ("file:/models/m", "file"),
        ("FILE:///m", "file"),
        ("s3://bucket/key", "s3"),
        ("S3://bucket/key", "s3"),
        ("git+ssh://x", "git+ssh"),
        ("C:/models", "file"),
        ("C://models", "file"),
        ("a:b", "file"),
        ("1a://b", "file"),
        ("models/a://b", "file"),
        (Path("models/m"), "file"),
    ],
)
def test_schemes(uri: str | Path, scheme: str) -> None:
    assert scheme_of(uri) == scheme
    assert is_remote(uri) == (scheme != "file")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("models/m", "models/m"),
        (Path("models/m"), "models/m"),
        ("a%20b #?.csv", "a%20b #?.csv"),
        ("file:///a%20b%23.csv", "/a b#.csv"),
        ("file:///a#b?c", "/a#b?c"),
        ("file:/tmp/x", "/tmp/x"),
        ("file://localhost/tmp/x", "/tmp/x"),
        ("file:///%C3%BC", "/ü"),
        ("run:1/a", "run:1/a"),
        ("./odd:/a", "odd:/a"),
        ("models/odd:/a", "models/odd:/a"),
        ("c:/models", "c:/models"),
    ],
)
def test_paths(uri: str | Path, path: str) -> None:
    assert to_path(uri) == Path(path)


def test_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere/ada")
    assert to_path("~/m") == Path("/somewhere/ada/m")
    assert to_path("file:///~/m") == Path("/~/m")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("", "it is empty"),
        ("s3://bucket/key", r"it is not on the local disk\. Copy it here first"),
        ("file://models/m", r"names no host\. Write file:///models/m, or 'models/m'"),
        ("file:models/m", "Write file:///models/m"),
        ("a\0b", "null character"),
        ("file:///a%00b", "null character"),
        ("s3:/bucket/key", r"Write s3://bucket/key \(pathlib makes .*, or \./s3:/bucket/key where a path is meant"),
        (Path("odd://bucket") / "key", r"a URI has two slashes after the colon\. Write odd://bucket/key"),
        ("S3:bucket/key", "Write S3://bucket/key"),
    ],
)
def test_what_is_no_place_on_a_disk(uri: str | Path, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry.provider_of
    monkeypatch.setattr(registry, "provider_of", lambda verb, key: key == "s3" or found(verb, key))
    with pytest.raises(UriError, match=message) as caught:
        to_path(uri)
    assert caught.value.exit_code == 2


@given(
    base=st.sampled_from(["s3://bucket/m", "file:///data/m", "/data/m", "m", "file:///a%20b/"]),
    parts=st.lists(names, min_size=1, max_size=3),
)
def test_what_was_joined_comes_apart_again(base: str, parts: list[str]) -> None:
    joined = join(base, *parts)
    assert relative_name(joined, base) == "/".join(parts)
    assert name_of(joined) == parts[-1]
    if not is_remote(base):
        assert to_path(joined) == to_path(base).joinpath(*parts)


def test_what_is_not_below() -> None:
    for uri in ("models2/x", "models", "models/"):
        with pytest.raises(UriError, match="it is not below models"):
            relative_name(uri, "models")


def test_the_name_of_a_dot_is_that_of_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "below")
    assert (name_of("."), name_of(".."), name_of("./x/")) == ("below", "here", "x")
    assert name_of("s3://bucket/") == ""


def test_a_password_in_a_uri_is_not_shown() -> None:
    error = UriError("s3://ada:p@ss@bucket/k", "'ada:p@ss@bucket' can be no bucket", "Write s3://BUCKET/KEY.")
    assert "p@ss" not in str(error)
    assert str(error).startswith("Cannot use 's3://ada:***@bucket/k' as a place: 'ada:***@bucket' can be no bucket.")
    assert "x:y@z" in str(UriError("s3://bucket/x:y@z", "it is odd", ""))
