"""What a plugin registers: one record a provider."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """One implementation of a verb, by name: nothing of it is imported before it is used.

    A plugin gives `key`, `target` and `summary`; the registry fills in the rest on registration.

    Attributes:
        key: The name in a config, ``name`` or ``plugin.name``; for copy, the URI scheme.
        target: Where it is, ``"module:name"``.
        summary: One line for ``mercury-ml providers``.
        install: What to ``pip install`` where `target` needs a package that the plugin does not itself require.
        verb: read, transform, fit, evaluate, save, copy, serve or execute.
        owner: The distribution that brings it.
        version: The version of that distribution.

    Raises:
        ValueError: A key or a target that is not of that form.

    Examples:
        >>> Provider("s3", "mercury_s3.store:S3Store", "Objects in Amazon S3").key
        's3'
        >>> Provider("s3", "mercury_s3.store")
        Traceback (most recent call last):
        ...
        ValueError: The provider 's3' has the target 'mercury_s3.store': expected 'module:name'.
    """

    key: str
    target: str
    summary: str = ""
    install: str = ""
    verb: str = ""
    owner: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        if not self.key or any(mark in self.key for mark in " \t\r\n@:/"):
            raise ValueError(
                f"The provider key {self.key!r} is not a name: expected 'name' or 'plugin.name', "
                f"without spaces, '@', ':' or '/'."
            )
        module, colon, name = self.target.partition(":")
        parts = (*module.split("."), *name.split("."))
        if not colon or not all(part.isidentifier() for part in parts):
            raise ValueError(f"The provider {self.key!r} has the target {self.target!r}: expected 'module:name'.")
