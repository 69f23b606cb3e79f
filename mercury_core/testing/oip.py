"""Does a server keep the Open Inference Protocol v2? Asked of any server, and told as a table.

Sources: https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md,
`open_inference_rest.yaml` beside it, and
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md.

Examples:
    ::

        report = check_server("http://127.0.0.1:8080", "penguins")
        print(report.holds, [check.title for check in report.checks if check.outcome == "fails"])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mercury_core.errors import PredictError
from mercury_core.testing.oip_client import Client
from mercury_core.testing.oip_requests import Samples

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        topic: ``server``, ``model``, ``inference``, ``refusal`` or ``binary``.
        title: What is expected.
        level: ``must`` where the protocol says so, ``should`` where it is silent and clients rely on it.
        outcome: ``holds``, ``fails`` or ``skipped``.
        found: What was found in its place; why it was skipped.
    """

    topic: str
    title: str
    level: str
    outcome: str
    found: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of a server.

    Attributes:
        url: Of the server.
        model: The name of the model.
        checks: All of them, in order.
    """

    url: str
    model: str
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing fails that must hold."""
        return not any(check.outcome == "fails" and check.level == "must" for check in self.checks)

    def count(self, outcome: str) -> int:
        """How many checks came out so."""
        return sum(check.outcome == outcome for check in self.checks)


def check_server(
    url: str,
    model: str = "model",
    *,
    request: Mapping[str, Any] | None = None,
    token: str = "",
    timeout: float = 30.0,
) -> Report:
    """Look at everything that a server of the protocol has to do, one request after another.

    Args:
        url: Of the server, ``http://host:port``, with whatever stands before ``/v2``.
        model: The name of a model that it serves.
        request: An inference request that the model can answer, with one row; by default one is made up from the
            model's metadata.
        token: A bearer token, where the server asks for one.
        timeout: Seconds for one answer.

    Raises:
        StoreAccessError: The server cannot be reached.
        PredictError: It serves no such model, or refuses the request that all others are made of.
        UriError: It is no URL of a server.
    """
    from mercury_core.testing.oip_checks import CHECKS, Skip, Wrong

    client = Client(url, model, token, timeout)
    told = client.ask(client.model_path)
    if told.status != 200 or not isinstance(told.json, dict):
        raise PredictError(url, f"it answers {told.status} when asked for the model {model!r}", "Name one that it has.")
    samples = Samples(told.json, request)
    first = client.ask(f"{client.model_path}/infer", samples.valid)
    if first.status != 200:
        said = first.body[:300].decode(errors="replace")
        why = f"it answers {first.status} to the request that all checks are made of: {said}"
        raise PredictError(url, why, "Give one that it can answer, with request=; on the command line with --request.")
    checks = []
    for one in CHECKS:
        outcome, found = "holds", ""
        try:
            one.look(client, samples)
        except Skip as why:
            outcome, found = "skipped", str(why)
        except Wrong as wrong:
            outcome, found = "fails", str(wrong)
        checks.append(Check(one.topic, one.title, one.level, outcome, found))
    return Report(url, model, tuple(checks))
