"""A model with all that is needed to use it: as an object (`Bundle`) and as a directory."""

from __future__ import annotations

from mercury_core.bundle.bundle import Bundle
from mercury_core.bundle.signature import Field, Signature
from mercury_core.bundle.transforms import AppliedTransform

__all__ = ["AppliedTransform", "Bundle", "Field", "Signature"]
