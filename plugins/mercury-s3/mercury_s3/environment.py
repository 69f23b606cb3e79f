"""What the environment alone says, as boto3 would understand it: asking boto3 itself costs 0.3 s of every process.

Wherever more than the environment has a say — a profile, a file of boto3's, an endpoint of Amazon's — nothing is known
here, and boto3 is asked.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from mercury_s3.signing import Keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_s3.settings import Settings

_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".c2s.ic.gov", ".sc2s.sgov.gov")


@dataclass(frozen=True, slots=True)
class Route:
    """Where requests for a bucket go.

    Attributes:
        address: Scheme, host and port.
        prefix: What stands before the key: ``/bucket``, or nothing where the host names the bucket.
        region: That signatures name.
        service: That signatures name.
    """

    address: str
    prefix: str
    region: str
    service: str = "s3"


def keys(settings: Settings) -> Keys | None:
    """The credentials in the environment, which are the first that boto3 looks for.

    A profile that is given as a parameter goes before them, and those with a time of expiry are renewed by boto3.
    """
    if settings.profile is not None or os.environ.get("AWS_CREDENTIAL_EXPIRATION"):
        return None
    access, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not access or not secret:
        return None
    return Keys(access, secret, os.environ.get("AWS_SECURITY_TOKEN") or os.environ.get("AWS_SESSION_TOKEN"))


def route(settings: Settings, bucket: str) -> Route | None:
    """Where a bucket of a service other than Amazon's is, if everything about that was said."""
    address = settings.endpoint_url
    if address is None or is_aws(address) or settings.path_style is False:
        return None
    region = settings.region or os.environ.get("AWS_DEFAULT_REGION")
    if region is None or settings.profile is not None:
        return None
    from urllib.parse import urlsplit

    parts = urlsplit(address)
    return Route(f"{parts.scheme}://{parts.netloc}", f"{parts.path.rstrip('/')}/{bucket}", region)


def is_aws(url: str) -> bool:
    """Whether an address is one of Amazon's."""
    from urllib.parse import urlsplit

    return (urlsplit(url).hostname or "").endswith(_AWS)
