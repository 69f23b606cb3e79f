"""A model with all that is needed to use it: as an object (`Bundle`) and as a directory, with its proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mercury_core.bundle.bundle import Bundle
from mercury_core.bundle.fields import Field
from mercury_core.bundle.signature import Signature
from mercury_core.bundle.transforms import AppliedTransform

if TYPE_CHECKING:
    from mercury_core.bundle.golden import Golden
    from mercury_core.bundle.manifest import Manifest
    from mercury_core.bundle.replay import VerifyReport, verify

__all__ = ["AppliedTransform", "Bundle", "Field", "Golden", "Manifest", "Signature", "VerifyReport", "verify"]

# What only those need who save, load or verify.
_LATER = {"Golden": "golden", "Manifest": "manifest", "VerifyReport": "replay", "verify": "replay"}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
