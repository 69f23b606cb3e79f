"""Requests that are made of one that is right: each wrong in one way."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from mercury_core.testing.oip_client import flattened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_VALUES: dict[str, Any] = {"BOOL": False, "BYTES": "", "FP16": 0.5, "FP32": 0.5, "FP64": 0.5}


class Samples:
    """Requests for one model.

    Attributes:
        metadata: What the server says of the model.
        valid: A request that it answers.
    """

    def __init__(self, metadata: Mapping[str, Any], request: Mapping[str, Any] | None = None) -> None:
        self.metadata = metadata
        self.valid: dict[str, Any] = dict(deepcopy(request)) if request else {"inputs": self._made()}

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs."""
        return [str(output.get("name")) for output in self.metadata.get("outputs") or []]

    @property
    def versions(self) -> list[str]:
        """The versions that may be asked for."""
        return [str(version) for version in self.metadata.get("versions") or []]

    @property
    def first(self) -> dict[str, Any]:
        """The first tensor of the valid request."""
        tensor: dict[str, Any] = self.valid["inputs"][0]
        return tensor

    def changed(self, change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The valid request after a change of its first tensor."""
        request = deepcopy(self.valid)
        change(request["inputs"][0])
        return request

    def rows(self, count: int) -> dict[str, Any] | None:
        """The valid request with its row so many times; None where it has no dimension for rows."""
        request = deepcopy(self.valid)
        for tensor in request["inputs"]:
            if not tensor["shape"] or tensor["shape"][0] != 1:
                return None
            tensor["shape"][0] = count
            tensor["data"] = flattened(tensor["data"]) * count
        return request

    def nested(self) -> dict[str, Any]:
        """The valid request with its data nested as the shapes say."""
        request = deepcopy(self.valid)
        for tensor in request["inputs"]:
            tensor["data"] = _nested(flattened(tensor["data"]), tensor["shape"])
        return request

    def _made(self) -> list[dict[str, Any]]:
        tensors = []
        for tensor in self.metadata.get("inputs") or []:
            shape = [1 if size < 0 else size for size in tensor["shape"]]
            count = 1
            for size in shape:
                count *= size
            value = _VALUES.get(tensor["datatype"], 1)
            tensors.append(
                {"name": tensor["name"], "shape": shape, "datatype": tensor["datatype"], "data": [value] * count}
            )
        return tensors


def _nested(values: list[Any], shape: list[int]) -> list[Any]:
    for size in reversed(shape[1:]):
        if size == 0:
            return [[] for _ in range(shape[0])]
        values = [values[place : place + size] for place in range(0, len(values), size)]
    return values
