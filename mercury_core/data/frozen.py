"""What wrappers, data sets and bunches have in common: frozen, mappings, attributes for their names."""

from __future__ import annotations

from mercury_core.errors import DataError, MissingNameError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn


class Frozen:
    """A mapping whose names are attributes as well, and that cannot be changed.

    A name that is a method's name, or no identifier, is reached as ``data["name"]``, which always works.
    """

    __slots__ = ()

    _KIND = "mapping"
    _PART = "name"

    if TYPE_CHECKING:

        def __getitem__(self, name: str) -> Any: ...

        def __iter__(self) -> Iterator[str]: ...

    def __getattr__(self, name: str) -> Any:
        # Only asked for what is no attribute: copy and pickle look for underscored ones on half-made objects.
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if name in self:
            return self[name]
        raise AttributeError(str(self._missing(name)))

    def __contains__(self, name: object) -> bool:
        return any(name == each for each in self)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"A {self._KIND} cannot be changed, so {name!r} cannot be set: make another one from it.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"A {self._KIND} cannot be changed, so {name!r} cannot be deleted: make another one from it."
        )

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *(name for name in self if name.isidentifier())})

    def _missing(self, name: str) -> DataError:
        return MissingNameError(f"The {self._KIND}", self._PART, name, list(self))

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)
