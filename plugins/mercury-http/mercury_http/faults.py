"""Errors that nobody outside is told of: they are logged, under an id that is given to whom they concern."""

from __future__ import annotations

import logging
import traceback
from uuid import uuid4

log = logging.getLogger(__name__)


def report(error: BaseException, where: str) -> str:
    """Log an error: its type and where it was raised; its message, which may hold data of a request, to debug only.

    Args:
        error: The error.
        where: What failed, as the name of a model.

    Returns:
        The id under which it stands in the log.
    """
    id = uuid4().hex[:12]  # noqa: A001
    places = traceback.extract_tb(error.__traceback__)
    lines = "".join(f"\n  {place.filename}:{place.lineno} in {place.name}" for place in places)
    log.error("%s: %s in %r%s", id, type(error).__name__, where, lines)
    log.debug("%s: %s", id, error)
    return id
