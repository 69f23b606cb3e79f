"""What this plugin brings; imports no SDK."""

from __future__ import annotations

from mercury_core import Provider, hookimpl


@hookimpl
def mercury_copy() -> list[Provider]:
    """Amazon S3."""
    return [Provider("s3", "mercury_s3.store:S3Store", "Objects in Amazon S3 and S3-compatible stores")]
