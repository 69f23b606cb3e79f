"""Level 4, the tasks that write and load: models as bundles, tables and dicts as files, here or in any store."""

from __future__ import annotations

from mercury_core import registry
from mercury_core.errors import ArgumentsError
from mercury_core.parameters import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path
    from typing import Any

    from mercury_core.bundle import Bundle
    from mercury_core.contracts import Model
    from mercury_core.storage import Stores

    Source = str | Path
    Settings = Mapping[str, Mapping[str, Any]] | Stores


class StoredModel:
    """Where a model was stored.

    Attributes:
        path: The local bundle.
        uri: Where it can be loaded from: the remote place, or `path` where there is none.
    """

    def __init__(self, path: Path, uri: str) -> None:
        self.path, self.uri = path, uri

    def __repr__(self) -> str:
        return f"StoredModel(path={str(self.path)!r}, uri={self.uri!r})"


def store_model(
    model: Bundle | Model,
    path: Source,
    *,
    format: str,  # noqa: A002
    remote: str | None = None,
    overwrite: str = "error",
    metrics: Mapping[str, Any] | None = None,
    run: str | None = None,
    license: str | None = None,  # noqa: A002
    description: str | None = None,
    stores: Settings | None = None,
    **params: Any,
) -> StoredModel:
    """Save a model as a bundle, and copy the bundle to a store.

    Args:
        model: What `fit_model` gave, or a model of one's own.
        path: The directory to write.
        format: The key of a model format, as ``sklearn.skops``.
        remote: Where to copy it, a URI or a path; one that ends in ``/`` means into.
        overwrite: ``error``, ``skip`` or ``replace``, at both places.
        metrics: What `evaluate_model` gave, to be kept with the model.
        run: The id of the run that made it, likewise.
        license: Under which it may be used, as an SPDX expression (``MIT``) or in words.
        description: What it is for.
        stores: Parameters of stores, by scheme or beginning of URIs; see `mercury_core.storage.Stores`.
        **params: The format's own parameters.

    Returns:
        Where it is.

    Raises:
        ObjectExistsError: Something is there, and `overwrite` is ``error``.
        StoreAccessError: No permission, no space, no way to the store.
        VerificationError: What arrived is not what was sent.
    """
    from mercury_core.bundle import Bundle

    bundle = (model if isinstance(model, Bundle) else Bundle(model)).recording(metrics, run, license, description)
    saved = bundle.save(path, format=format, overwrite=overwrite, **params)
    return StoredModel(saved, _send(saved, remote, overwrite, stores))


def load_model(
    uri: Source, *, trusted: Collection[str] = (), trust: bool = False, stores: Settings | None = None
) -> Bundle:
    """Load a stored model, which predicts raw rows.

    Args:
        uri: A bundle: a path, or a URI of a store that is installed, of which a copy is kept on this machine.
        trusted: Types, by full name, to trust beyond the lists of the plugins.
        trust: Whether formats that need pickle may be loaded, which run whatever code the model brings.
        stores: Parameters of stores, by scheme or beginning of URIs; see `mercury_core.storage.Stores`.

    Returns:
        The bundle, its files proven before anything in it was loaded.

    Raises:
        ObjectNotFoundError: Nothing is there.
        CorruptBundleError: It was altered.
        UntrustedTypeError: It holds types that are in no list.
        UntrustedPickleError: It needs pickle, and `trust` is False.
        StoreAccessError: The store cannot be reached, or it refuses.
    """
    from mercury_core.bundle import Bundle

    return Bundle.load(uri, trusted=trusted, trust=trust, stores=stores)


def store_artifact(
    artifact: Any,
    path: Source,
    *,
    format: str | None = None,  # noqa: A002
    remote: str | None = None,
    overwrite: str = "error",
    stores: Settings | None = None,
    **params: Any,
) -> str:
    """Write a table or a dict to a file, and copy the file to a store.

    Args:
        artifact: What the format takes: a table of any kind, predictions, a dict, a list.
        path: The file to write.
        format: The key of an artifact format; by default what the ending of `path` says.
        remote: Where to copy it; one that ends in ``/`` means into.
        overwrite: ``error``, ``skip`` or ``replace``, at both places.
        stores: Parameters of stores, by scheme or beginning of URIs; see `mercury_core.storage.Stores`.
        **params: The format's own parameters.

    Returns:
        The URI or the path at which it can be read.

    Raises:
        ObjectExistsError: Something is there, and `overwrite` is ``error``.
    """
    from mercury_core.errors import ObjectExistsError
    from mercury_core.storage.uri import to_path

    target = to_path(path)
    key = format or target.suffix.removeprefix(".")
    writer: Any = registry.resolve("save", key)
    if not hasattr(writer, "write"):
        raise ArgumentsError(
            "save", key, [f"{key!r} writes models, not tables and dicts: choose a format of artifacts."]
        )
    require("save", key, writer.write, params)
    if target.exists() and overwrite == "error":
        raise ObjectExistsError(str(target))
    if not (target.exists() and overwrite == "skip"):
        writer.write(artifact, target, **params)
    return _send(target, remote, overwrite, stores)


def _send(saved: Path, remote: str | None, overwrite: str, stores: Settings | None) -> str:
    if remote is None:
        return str(saved)
    from mercury_core.storage import copy

    return str(copy(str(saved), remote, overwrite=overwrite, stores=stores).target)
