"""The parameters of the store, and what is wrong with them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from mercury_core.contracts import Fault
from mercury_core.storage.http import faults as http
from mercury_core.storage.http.tries import Tries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

#: What all parts of an upload but the last are a multiple of, says the service.
QUANTUM = 256 << 10


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach the service, and how objects are written; see `mercury_gcs.store.GCSStore`."""

    project: str | None = None
    anonymous: bool = False
    endpoint: str | None = None
    kms_key_name: str | None = field(default=None, repr=False)
    storage_class: str | None = None
    user_project: str | None = None
    max_concurrency: int = 16
    deadline: float = 300.0
    max_attempts: int = 8
    chunk_size: int = 32 << 20
    resumable_above: int = 512 << 20

    @property
    def patience(self) -> float:
        """Seconds without a sign of the service after which one try is given up: several fit into `deadline`."""
        return min(60.0, self.deadline / 4)

    @property
    def address(self) -> str | None:
        """The address that was given, or that of an emulator; None for Google's own."""
        given = self.endpoint or os.environ.get("STORAGE_EMULATOR_HOST")
        if not given:
            return None
        return (given if "://" in given else f"http://{given}").rstrip("/")

    @property
    def unsigned(self) -> bool:
        """Whether requests carry no credentials: as asked, and wherever they would travel in the clear."""
        address = self.address
        emulated = not self.endpoint and address is not None
        return self.anonymous or emulated or (address is not None and address.startswith("http://"))

    def tries(self) -> Tries:
        """Those of one request, which begin now."""
        return Tries(self.max_attempts, self.deadline, self.patience)

    def reading(self) -> dict[str, str]:
        """What every request says, in its query."""
        return {"userProject": self.user_project} if self.user_project else {}

    def writing(self) -> dict[str, str]:
        """What every request that makes an object says, in its query."""
        return self.reading() | ({"kmsKeyName": self.kms_key_name} if self.kms_key_name else {})

    def metadata(self) -> dict[str, str]:
        """What an object is made with."""
        return {"storageClass": self.storage_class} if self.storage_class else {}


def faults(params: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with parameters whose names and types are right."""
    yield from http.numbers(params, "deadline", max_concurrency=1, max_attempts=1, resumable_above=0)
    size = params.get("chunk_size", QUANTUM)
    if size < QUANTUM or size % QUANTUM:
        yield Fault(("chunk_size",), f"'chunk_size' is {size}: expected a multiple of {QUANTUM} bytes (256 KiB).")
    yield from http.empty(params, "project", "kms_key_name", "storage_class", "user_project")
    if params.get("anonymous") and params.get("user_project"):
        why = "'user_project' needs credentials, and 'anonymous' sends none"
        yield Fault(("user_project",), f"{why}: leave one of them out.")
    yield from http.address(params, "endpoint", "Application Default Credentials")
