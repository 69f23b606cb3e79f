"""How a server behaves; all limits in one place."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """The limits of a server, and who may use it.

    Attributes:
        token: What requests have to bring as ``Authorization: Bearer TOKEN``; None lets everybody in.
        batch_rows: Rows that one call of the model gets at most, where they are of several requests.
        batch_seconds: That one call is to take at most, where the rows are of several requests.
        most_waiting: Requests that may wait for a model.
        most_rows: Rows of one request.
        most_bytes: Of the body of one request.
        most_pending_bytes: Of the bodies of all requests that are under way.
        most_header_bytes: Of the head of one request.
        connections: That may be open.
        header_timeout: Seconds in which the head of a request has to arrive; also how long a connection may be idle.
        body_timeout: Seconds in which the body has to arrive.
        predict_timeout: Seconds after which a call of the model counts as hanging.
        stop_timeout: Seconds that requests under way get to be answered when the server is stopped.
    """

    token: str | None = field(default=None, repr=False)
    batch_rows: int = 8192
    batch_seconds: float = 0.05
    most_waiting: int = 2048
    most_rows: int = 100_000
    most_bytes: int = 32 << 20
    most_pending_bytes: int = 256 << 20
    most_header_bytes: int = 32 << 10
    connections: int = 4096
    header_timeout: float = 15.0
    body_timeout: float = 30.0
    predict_timeout: float = 60.0
    stop_timeout: float = 30.0

    def __repr__(self) -> str:
        return f"Settings(most_bytes={self.most_bytes}, most_rows={self.most_rows}, connections={self.connections})"
