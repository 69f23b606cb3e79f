"""What every suite has: abilities that decide which tests there are, and waivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    _Test = TypeVar("_Test", bound=Callable[..., None])


def needs(*abilities: type) -> Callable[[_Test], _Test]:
    """Mark a test of a suite as one of an ability: it is only there where all of these are declared."""

    def mark(test: _Test) -> _Test:
        test.needed_abilities = abilities  # type: ignore[attr-defined]
        return test

    return mark


class Suite:
    """Tests that a plugin's author inherits.

    Attributes:
        abilities: The Protocols of `mercury_core.contracts`, beyond the required one, that are to be tested.
        waivers: Tests that fail for now, and why: by the name of the test, with ``[…]`` where it has cases. Each runs,
            and must fail.
    """

    abilities: ClassVar[Iterable[type]] = ()
    waivers: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, *, is_suite: bool = False, **kwargs: Any) -> None:
        """Leave out the tests of abilities that are not declared; in a suite itself, and its parts, all are there."""
        super().__init_subclass__(**kwargs)
        if is_suite:
            return
        declared = set(cls.abilities)
        for name in dir(cls):
            found = next((vars(base)[name] for base in cls.__mro__ if callable(vars(base).get(name))), None)
            needed = getattr(found, "needed_abilities", ())
            if needed and name not in vars(cls):
                # pytest collects what can be called.
                setattr(cls, name, found if declared.issuperset(needed) else None)

    @pytest.fixture(autouse=True)
    def _waived(self, request: pytest.FixtureRequest) -> None:
        test = request.node
        reason = self.waivers.get(test.name, self.waivers.get(test.name.partition("[")[0]))
        if reason is not None:
            test.add_marker(pytest.mark.xfail(reason=reason, strict=True))

    def test_each_waiver_has_a_reason_and_names_a_test(self) -> None:
        unknown = [name for name in self.waivers if not callable(getattr(self, name.partition("[")[0], None))]
        assert not unknown, f"waivers name what is no test of this suite: {', '.join(unknown)}"
        assert all(reason.strip() for reason in self.waivers.values()), "a waiver says why"
