"""What comes back from a service, or does not."""

from __future__ import annotations


class LostError(Exception):
    """No answer, or a part of one: the connection was lost, refused, or silent for too long.

    Attributes:
        why: In our words, with no address in it: one may be signed.
        reached: Whether the request may have reached the service.
        final: Whether trying again cannot help.
        tries: How often it was tried.
        seconds: And how long.
    """

    def __init__(self, why: str, *, reached: bool = True, final: bool = False) -> None:
        super().__init__(why)
        self.why, self.reached, self.final = why, reached, final
        self.tries, self.seconds = 1, 0.0


def not_an_answer(service: str, *, final: bool = False) -> LostError:
    """The error for an answer without what belongs into it.

    Args:
        service: Whose answer it should be: ``an S3 service``.
        final: Whether trying again cannot help.
    """
    return LostError(f"what it answered is not that of {service}", final=final)
