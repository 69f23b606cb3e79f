"""What this plugin brings; imports no SDK."""

from __future__ import annotations

from mercury_core import Provider, hookimpl


@hookimpl
def mercury_copy() -> list[Provider]:
    """Google Cloud Storage."""
    return [Provider("gs", "mercury_gcs.store:GCSStore", "Objects in Google Cloud Storage")]
