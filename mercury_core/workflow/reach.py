"""Whether what a workflow names in stores is there, and may be written: all are asked at once, and not for long."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING

from mercury_core.contracts import ReachableStore
from mercury_core.errors import (
    BundleFormatError,
    MercuryError,
    ObjectNotFoundError,
    StoreAccessError,
    UnknownProviderError,
)
from mercury_core.storage.uri import is_remote, join
from mercury_core.workflow.paths import MANIFEST, saves_to_copy
from mercury_core.workflow.values import NO_RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mercury_core.contracts import Store
    from mercury_core.storage import Stores
    from mercury_core.workflow.config import Step, Workflow
    from mercury_core.workflow.source import At
    from mercury_core.workflow.values import Values

#: For all stores together. One that answers later is taken for one that cannot be reached.
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of one store: `at` is the place in the file of what made it be asked."""

    at: At
    verb: str
    uri: str
    new: tuple[str, ...] = ()


def check_reach(values: Values, workflow: Workflow, stores: Stores) -> set[At]:
    """Ask every store that a workflow reads from, loads from or copies to; faults of `values` where one refuses.

    Returns:
        The places in the file of which nothing can be read.
    """
    asked = [(question, _ask(stores, question)) for question in _questions(values, workflow)]
    end = time.monotonic() + SECONDS
    failed = set()
    for question, answer in asked:
        try:
            answer.result(max(end - time.monotonic(), 0))
        except TimeoutError:
            why = f"there was no answer within {SECONDS:g} seconds"
            todo = "Check the network and the address; `mercury-ml check --offline` leaves this out."
            values.fault(question.at, str(StoreAccessError("reach", question.uri, why, todo)))
        except UnknownProviderError:
            pass  # the check of the providers says so, or it is a name that only its reader knows
        except MercuryError as error:
            values.fault(question.at, str(error))
        else:
            continue
        failed.add(question.at)
    return failed


def _questions(values: Values, workflow: Workflow) -> Iterator[_Question]:
    for step in workflow.of("read", "load", "copy"):
        key = {"read": "source", "load": "uri", "copy": "to"}[step.verb]
        uri = getattr(step, key)
        if not uri or not is_remote(uri):
            continue
        at = (*step.at, key)
        if step.verb == "load" and not isinstance(values.data.get("load"), dict):
            at = step.at
        yield _Question(at, step.verb, uri, _to_be_made(workflow, step) if step.verb == "copy" else ())


def _to_be_made(workflow: Workflow, step: Step) -> tuple[str, ...]:
    """What must not be there yet when a copy begins."""
    if step.overwrite != "error":
        return ()
    from mercury_core.storage.copying import is_unfinished, resolve_target

    sources = [save.path for save in saves_to_copy(workflow, step)]
    if not sources:
        # A model that is loaded is the same in each run, so a copy of it goes on. What is saved is another one each
        # time, which would be found out at the end, when all has been computed.
        sources = [load.uri for load in workflow.of("load") if load.uri and not is_unfinished(load.uri, step.to)]
    targets = [resolve_target(source, step.to) for source in sources if source]
    return tuple(target for target in targets if not any(word in target for word in NO_RUN.values()))


def _ask(stores: Stores, question: _Question) -> Future[None]:
    """Ask in a thread, which nobody waits for where it does not come back."""
    future: Future[None] = Future()

    def ask() -> None:
        try:
            _answer(stores, question)
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it belongs to whoever waits for the answer
            future.set_exception(error)
        else:
            future.set_result(None)

    Thread(target=ask, name="mercury-reach", daemon=True).start()
    return future


def _answer(stores: Stores, question: _Question) -> None:
    """Raise what stands against a use of a URI.

    Raises:
        StorageError: It cannot be reached, is not there, or is there already.
        BundleFormatError: It is no bundle.
    """
    store, uri = stores.of(question.uri), question.uri
    if isinstance(store, ReachableStore):
        store.check(uri, write=question.verb == "copy")
    if question.verb == "read" and not _is_there(store, uri):
        raise ObjectNotFoundError(uri)
    if question.verb == "load" and not _is_there(store, join(uri, MANIFEST)):
        if _is_there(store, uri):
            raise BundleFormatError(uri, f"it holds no {MANIFEST}, which every bundle has")
        raise ObjectNotFoundError(uri)
    for target in question.new:
        if _is_there(store, target):
            todo = "Add `overwrite: replace` (or skip), or put ${run.id} in the path."
            raise StoreAccessError("write", target, "it exists already", todo)


def _is_there(store: Store, uri: str) -> bool:
    if not uri.endswith("/"):
        try:
            store.stat(uri)
        except ObjectNotFoundError:
            pass
        else:
            return True
    return next(iter(store.list(uri)), None) is not None
