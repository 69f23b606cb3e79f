"""Trying again: how often, how long, and what is known afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercury_core.storage.http.answers import Answer, LostError, RefusedError
from mercury_core.storage.http.tries import Tries

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("mercury_core.storage.http.tries.time.sleep", found.append)
    return found


def _once(*said: Exception | Answer) -> Callable[[Tries], Answer]:
    left = list(said)

    def once(tries: Tries) -> Answer:
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return once


def _never(refused: RefusedError) -> bool:
    return False


OK = Answer(200, {})


def test_what_may_pass_is_tried_again(waits: list[float]) -> None:
    tries = Tries(8, 300, 60)
    said = (LostError("cut"), RefusedError(503, "slow"), RefusedError(429, "slow"), OK)
    assert tries.run(_once(*said), _never) is OK
    assert (tries.number, tries.lost, len(waits)) == (4, True, 3)
    assert all(0 <= wait <= 0.1 * 2**n for n, wait in enumerate(waits))


def test_it_waits_as_long_as_it_is_asked_to(waits: list[float]) -> None:
    refused = RefusedError(503, "slow", "", {"retry-after": "7"})
    assert Tries(8, 300, 60).run(_once(refused, OK), _never) is OK
    assert 7 <= waits[0] <= 7.1


@pytest.mark.parametrize(
    ("error", "most"),
    [
        (RefusedError(403, "denied"), 1),
        (LostError("no trust", final=True), 1),
        (LostError("nobody there", reached=False), 5),
        (LostError("cut"), 8),
        (RefusedError(500, "failed"), 8),
        (RefusedError(503, "slow", "", {"retry-after": "300"}), 1),  # past the deadline
    ],
)
def test_it_ends_with_the_last_error(waits: list[float], error: LostError | RefusedError, most: int) -> None:
    tries = Tries(8, 300, 60)
    with pytest.raises(type(error)) as caught:
        tries.run(_once(*[error] * 9), _never)
    assert caught.value is error
    assert (tries.number, error.tries, len(waits)) == (most, most, most - 1)


def test_a_refusal_says_whether_an_earlier_try_may_have_been_done(waits: list[float]) -> None:
    refused = RefusedError(412, "there is one")
    with pytest.raises(RefusedError):
        Tries(8, 300, 60).run(_once(LostError("cut"), refused), _never)
    assert refused.after_loss
    refused = RefusedError(412, "there is one")
    with pytest.raises(RefusedError):
        Tries(8, 300, 60).run(_once(LostError("not reached", reached=False), refused), _never)
    assert not refused.after_loss


def test_what_was_mended_is_tried_at_once(waits: list[float]) -> None:
    mended: list[RefusedError] = []

    def mend(refused: RefusedError) -> bool:
        mended.append(refused)
        return len(mended) == 1

    assert Tries(8, 300, 60).run(_once(RefusedError(401, "expired"), OK), mend) is OK
    assert not waits
    with pytest.raises(RefusedError):
        Tries(8, 300, 60).run(_once(RefusedError(401, "expired")), mend)


def test_patience_is_no_longer_than_the_deadline() -> None:
    tries = Tries(8, 300, 60)
    assert tries.patience() == 60
    assert 60 < tries.patience(slow=True) <= 300
    assert Tries(8, 0.001, 60).patience(slow=True) == 0.01
