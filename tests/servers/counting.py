"""Counts of the faults that tests injected, told at the end of a run."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.servers.proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY = "faults"


class Faults:
    """What went wrong on purpose in one test.

    Attributes:
        count: How often, by kind.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._proxies: list[FaultProxy] = []
        self.count: Counter[str] = Counter()

    def proxy(self, url: str) -> FaultProxy:
        """Put a proxy before a server until the end of the test; its faults are counted."""
        made = self._stack.enter_context(FaultProxy(url))
        self._proxies.append(made)
        return made

    def total(self) -> Counter[str]:
        """All of them so far."""
        return sum((proxy.injected for proxy in self._proxies), self.count)


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Iterator[Faults]:
    """Where a test counts its faults; a test that injects none proves nothing, and fails."""
    with ExitStack() as stack:
        made = Faults(stack)
        yield made
        total = made.total()
        request.node.user_properties.append((_KEY, dict(total)))
    assert total, "this test is about faults, and there were none"


class FaultSummary:
    """Adds up what all tests report, in whatever process they ran."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.tests = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "teardown":
            return
        for name, value in report.user_properties:
            if name == _KEY and isinstance(value, dict):
                self.count.update(value)
                self.tests += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.tests:
            kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self.count.items()))
            terminalreporter.write_line(f"faults: {self.count.total()} injected in {self.tests} tests ({kinds})")
