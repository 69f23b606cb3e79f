"""The local disk passes the suite for stores, by paths and by URIs."""

from __future__ import annotations

from tests.core.store_suites import DiskSuite


class TestPaths(DiskSuite):
    pass


class TestUris(DiskSuite):
    def make_base(self) -> str:
        folder = self.folder / "a b#é"
        folder.mkdir()
        return folder.as_uri()
