"""The suite for stores."""

from __future__ import annotations

from mercury_core.testing.stores_abilities import AbilityTests
from mercury_core.testing.stores_copying import CopyTests
from mercury_core.testing.stores_many import ManyTests
from mercury_core.testing.stores_parts import PartsTests
from mercury_core.testing.stores_reading import ReadingTests
from mercury_core.testing.stores_writing import WritingTests


class StoreSuite(ReadingTests, WritingTests, PartsTests, AbilityTests, ManyTests, CopyTests, is_suite=True):
    """What any store must do.

    A subclass gives the methods that `StoreSetup` lists, and declares in `abilities` which Protocols of
    `mercury_core.contracts` the store has beyond the required one; the tests of the others are not there then. What a
    service cannot do is a waiver: the name of a test, and why it fails.

    Examples:
        >>> from mercury_core.contracts import ConditionalStore
        >>> class TestMyStore(StoreSuite):
        ...     abilities = (ConditionalStore,)
        ...     waivers = {"test_long_names": "the service takes 100 bytes"}
        >>> TestMyStore.test_one_of_many_creates is None, TestMyStore.test_many_are_deleted_at_a_time is None
        (False, True)
    """
