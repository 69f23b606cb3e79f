"""A local copy that stands in for what is stored elsewhere: who hears of it hears the name of the original."""

from __future__ import annotations

import os
from contextlib import contextmanager

from mercury_core.errors import MercuryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def standing_in(path: str | os.PathLike[str], uri: str) -> Iterator[None]:
    """While `path` stands in for `uri`, let errors of Mercury name `uri`."""
    local = os.fspath(path)
    try:
        yield
    except MercuryError as error:
        error.args = tuple(arg.replace(local, uri) if isinstance(arg, str) else arg for arg in error.args)
        for name in ("source", "where", "uri", "path"):
            if isinstance(said := getattr(error, name, None), str):
                setattr(error, name, said.replace(local, uri))
        raise
