"""Secrets of a config: found by their names, and never written down."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from mercury_core.workflow.source import walk

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"

_NAME = re.compile(
    r"(?:^|[_\-.])(?:pass|passwd|password|passphrase|pwd|secret|token|credentials?|api_?key|access_?key(?:_?id)?|secret_?key|private_?key"
    r"|account_?key|connection_?string)$",
    re.IGNORECASE,
)
_ENVIRONMENT = re.compile(r"\$\{oc\.env:([A-Za-z_]\w*)")
_VARIABLE = re.compile(r"PASS|SECRET|TOKEN|CREDENTIAL|(?:API|ACCESS|PRIVATE|ACCOUNT)_?KEY|PWD", re.IGNORECASE)
_IN_URL = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]+(?=@)")

# Shorter ones would mask every other word of a record.
_SHORTEST = 4


def is_secret(name: Any) -> bool:
    """Whether a value under this name is a secret.

    Examples:
        >>> [is_secret(name) for name in ("password", "aws_secret_access_key", "max_tokens", "token_pattern")]
        [True, True, False, False]
    """
    return isinstance(name, str) and bool(_NAME.search(name))


def secrets_of(written: Any, resolved: Any) -> frozenset[str]:
    """The secret texts of a config: those under telling names, and those of telling environment variables.

    Args:
        written: The config before interpolation, which shows what came from the environment.
        resolved: The config after it.
    """
    found = set()
    for at, value in walk(resolved):
        if any(map(is_secret, at)) and isinstance(value, (str, int)) and not isinstance(value, bool):
            found.add(str(value))
    for _, value in walk(written):
        if isinstance(value, str):
            names = _ENVIRONMENT.findall(value)
            found |= {os.environ[name] for name in names if _VARIABLE.search(name) and name in os.environ}
    return frozenset(found)


def masked(value: Any, secrets: Iterable[str] = (), at: tuple[Any, ...] = ()) -> Any:
    """The same value without secrets: what stands under a telling name, secret texts anywhere, passwords in URLs.

    Examples:
        >>> masked({"password": "x", "url": "s3://me:pw@host/b", "note": "key is hunter22"}, ["hunter22"])
        {'password': '***', 'url': 's3://me:***@host/b', 'note': 'key is ***'}
    """
    if isinstance(value, dict):
        return {key: masked(inner, secrets, (*at, key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(inner, secrets, at) for inner in value]
    if at and is_secret(at[-1]) and value is not None and not isinstance(value, bool):
        return value if isinstance(value, str) and value.startswith("${") and value.endswith("}") else MASK
    if isinstance(value, str):
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST:
                value = value.replace(secret, MASK)
        return _IN_URL.sub(rf"\1:{MASK}", value) if "://" in value else value
    return value
