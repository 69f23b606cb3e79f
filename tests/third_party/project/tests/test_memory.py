"""The store in memory does what any store must do."""

import itertools
import time

from acme_mercury.memory import Held, MemoryStore, Shelf

from mercury_core import contracts
from mercury_core.testing import StoreSuite

SHELF = MemoryStore.shelves.setdefault("", Shelf())


class TestMemoryStore(StoreSuite):
    abilities = (
        *(contracts.ChecksumStore, contracts.ConcurrentStore, contracts.ConditionalStore, contracts.CopyingStore),
        *(contracts.LevelStore, contracts.ManyCopyingStore, contracts.ManyDeletingStore, contracts.ManyPuttingStore),
        *(contracts.ManyReadingStore, contracts.MultipartStore, contracts.ReachableStore),
    )
    numbers = itertools.count()

    def make_store(self):
        return MemoryStore()

    def make_base(self):
        return f"mem://bucket/{next(self.numbers)}"

    def raw_put(self, uri, data):
        SHELF.objects[uri] = Held(data, str(next(SHELF.numbers)), time.time())

    def raw_get(self, uri):
        return SHELF.objects[uri].data if uri in SHELF.objects else None

    def raw_list(self, base):
        return [uri for uri in SHELF.objects if uri.startswith(f"{base}/")]

    def raw_leftovers(self, base):
        return [upload for uri, upload in SHELF.uploads if uri.startswith(f"{base}/")]
