"""Whether a service keeps ``If-None-Match``: one that does not know it replaces what is there, without a word."""

from __future__ import annotations

from functools import partial
from typing import Any

from mercury_core.errors import ObjectExistsError
from mercury_core.storage.http.answers import Answer, LostError
from mercury_s3.answers import RefusedError
from mercury_s3.listing import exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mercury_s3.places import Place
    from mercury_s3.service import Service


def create(
    service: Service, operation: str, place: Place, body: memoryview | None, params: dict[str, Any]
) -> Callable[[], Answer]:
    """Make an object where there is none; what is given waits for the answer.

    Amazon keeps the condition. Of another service it is found out, once for each bucket and operation: what was just
    written is written again, which has to be refused. Where it is not, it is looked before each write whether something
    is there, and a race may be lost.

    Raises:
        ObjectExistsError: Something is there.
        RefusedError: As of `Service.call`; with 412 where the answer to an earlier try was lost, and something is
            there now.
    """
    if service.keeps_conditions(operation, place.bucket):
        return partial(_answer, service.begin(operation, place, body, IfNoneMatch="*", **params), operation, place)
    return partial(_create, service, operation, place, body, params)


def _create(service: Service, operation: str, place: Place, body: memoryview | None, params: dict[str, Any]) -> Answer:
    if exists(service, place):
        raise ObjectExistsError(place.uri)
    answer = _answer(service.begin(operation, place, body, IfNoneMatch="*", **params), operation, place)
    if service.keeps_conditions(operation, place.bucket) is None:
        found = _refuses(service, operation, place, body, params)
        if found is not None:
            service.learn_conditions(operation, place.bucket, keeps=found)
    return answer


def _answer(asked: Callable[[], Answer], operation: str, place: Place) -> Answer:
    try:
        return asked()
    except RefusedError as refused:
        if refused.status == 412 and not refused.after_loss and operation == "PutObject":
            raise ObjectExistsError(place.uri) from None
        raise


def _refuses(
    service: Service, operation: str, place: Place, body: memoryview | None, params: dict[str, Any]
) -> bool | None:
    """Whether what is there is not written again; None where that could not be found out."""
    try:
        service.call(operation, place, body, IfNoneMatch="*", **params)
    except RefusedError as refused:
        return True if refused.status in (409, 412) else None
    except LostError:
        return None  # the object is there, whatever became of the question
    return False
