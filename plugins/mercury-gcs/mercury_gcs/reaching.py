"""Whether the service would serve, asked before any work."""

from __future__ import annotations

from mercury_gcs import sessions
from mercury_gcs.answers import RefusedError
from mercury_gcs.objects import find, probe
from mercury_gcs.places import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_gcs.service import Service


def check(service: Service, place: Place, *, write: bool) -> None:
    """Ask whether objects below a prefix can be listed, and written.

    Raises:
        RefusedError: They cannot.
    """
    try:
        probe(service, place)
    except RefusedError as refused:
        refused.missing_bucket()
        # Who may read objects may yet not list them: a single one can be read all the same.
        if refused.status != 403 or write or not place.key or find(service, place) is None:
            raise
    if write:
        # Rights may hold for some names only, and the key of KMS may fail: a session finds out, and makes nothing.
        beside = Place(place.bucket, f"{place.folder}.mercury-check")
        sessions.abort(service, sessions.begin(service, beside, 0, overwrite=True))
