"""Which name was meant by a mistyped one. Nothing of Mercury is imported here, and nothing that costs time."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, choices: Iterable[str], most: int = 3) -> list[str]:
    """The choices that a mistyped `word` most likely meant, best first: at most `most`, none where nothing is near.

    Examples:
        >>> nearest("slpit", ["split", "csv"])
        ['split']
    """
    from difflib import get_close_matches

    pool = {choice.lower(): choice for choice in choices}
    close = get_close_matches(word.lower(), pool, n=most, cutoff=0.6)
    tail = [low for low in pool if low.rpartition(".")[2] == word.lower() and low not in close]
    return [pool[low] for low in (tail + close)[:most]]


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """The end of a message: `` Did you mean 'split'?``, or nothing where nothing is near."""
    return f" Did you mean {' or '.join(map(repr, close))}?" if (close := nearest(word, choices)) else ""
