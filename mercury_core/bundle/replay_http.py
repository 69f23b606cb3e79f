"""Golden rows predicted by a server of the Open Inference Protocol v2.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md; what JSON has no
words for (bytes, NaN and infinity) goes in binary tensors, as
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md has them.
"""

from __future__ import annotations

import json
import math
from http.client import NOT_FOUND
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from mercury_core.bundle.server_url import server_url
from mercury_core.errors import PredictError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mercury_core.bundle.golden import Golden

_SECONDS = 60
# What `mercury-ml serve` calls a model that nobody gave a name.
_NAME = "model"
_NUMPY = {"BOOL": "?", **{f"{word}{8 * size}": f"<{kind}{size}" for kind, word, sizes in (
    ("i", "INT", (1, 2, 4, 8)), ("u", "UINT", (1, 2, 4, 8)), ("f", "FP", (2, 4, 8))
) for size in sizes}}  # fmt: skip


def replayed_by(url: str, golden: Golden, token: str = "") -> dict[str, list[Any]]:
    """Let a server predict golden rows.

    Args:
        url: Of the server, if it has one model; or of one model, ``…/v2/models/NAME``. A server that does not tell its
            models (by Triton's index of its repository, as this project's does) has one called ``model``.
        golden: The rows, and the predictions that are expected.
        token: A bearer token, where the server asks for one.

    Returns:
        The predictions by name, as `mercury_core.data.prediction_table` calls them.

    Raises:
        UriError: It is no URL of a server.
        PredictError: The server does not answer, or refuses the rows.
    """
    place, todo = _model_url(url, token)
    told = _asked(place, token, todo=todo)
    datatypes = {one["name"]: one["datatype"] for one in _list(told, "inputs", place)}
    missing = [name for name in golden.rows.column_names if name not in datatypes]
    if missing:
        why = f"it takes no input {', '.join(map(repr, missing))}; it has: {', '.join(datatypes)}"
        raise PredictError(place, why, "Name the server of this very model.")
    columns = {name: golden.rows.column(name).to_pylist() for name in golden.rows.column_names}
    tensors = [_tensor(name, datatypes[name], values) for name, values in columns.items()]
    head = json.dumps({"inputs": [one for one, _ in tensors]}, allow_nan=False).encode()
    content = b"".join(data for _, data in tensors)
    headers = {"Content-Type": "application/json"}
    if content:
        headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    answer = _asked(f"{place}/infer", token, head + content, headers)
    return _columns(_list(answer, "outputs", place), golden)


def _model_url(url: str, token: str) -> tuple[str, str]:
    """The URL of a model, and what is to be done where there is none: of a server with one model, that one."""
    parts = server_url(url, "Expected http://HOST:PORT, or http://HOST:PORT/v2/models/NAME.")
    url = url.rstrip("/")
    if "/v2/models/" in parts.path:
        return url, "Name a model that it has."
    url = url.removesuffix("/v2")
    todo = f"Name the model, as {url}/v2/models/NAME."
    names = _names_at(url, token)
    if names is None:
        return f"{url}/v2/models/{_NAME}", todo
    if len(names) != 1:
        raise PredictError(url, f"it has several models: {', '.join(names)}" if names else "it has no model", todo)
    return f"{url}/v2/models/{quote(names[0], safe='')}", ""


def _names_at(url: str, token: str) -> list[str] | None:
    """The models of a server, which the protocol has no word for, and Triton and others have; None where it is mute."""
    try:
        found = _answered(f"{url}/v2/repository/index", token, b"{}", {"Content-Type": "application/json"})
    except PredictError as error:
        cause = error.__cause__
        if isinstance(cause, HTTPError) and cause.code not in (401, 403):
            return None
        raise
    if not isinstance(found, list) or not all(isinstance(one, dict) and "name" in one for one in found):
        return None
    return list(dict.fromkeys(str(one["name"]) for one in found))


def _asked(
    url: str, token: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, todo: str = ""
) -> dict[str, Any]:
    found = _answered(url, token, body, headers, todo)
    if not isinstance(found, dict):
        raise PredictError(url, "what answered is no server of the protocol", "Name one.")
    return found


def _answered(
    url: str, token: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, todo: str = ""
) -> Any:
    # Only http and https come here: see `_model_url`.
    request = Request(url, body, dict(headers or {}))  # noqa: S310
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return json.loads(answer.read())
    except HTTPError as error:
        with error:
            said = _error_in(error.read())
        why = f"the server answered {error.code}{said and ': '}{said.rstrip('.')}"
        raise PredictError(url, why, todo if error.code == NOT_FOUND else "") from error
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise PredictError(url, f"the server cannot be reached ({reason})", "Start it, or correct the URL.") from error
    except ValueError as error:
        raise PredictError(url, "what answered is no JSON", "Name a server of the protocol.") from error


def _error_in(content: bytes) -> str:
    try:
        said = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(said)[:500]


def _list(found: dict[str, Any], name: str, url: str) -> list[dict[str, Any]]:
    given = found.get(name)
    if isinstance(given, list) and all(isinstance(one, dict) and "name" in one and "datatype" in one for one in given):
        return given
    raise PredictError(url, f"its answer has no {name} of the protocol", "Name a server of the protocol.")


def _tensor(name: str, datatype: str, values: Sequence[Any]) -> tuple[dict[str, Any], bytes]:
    """One column as a tensor: its head, and its bytes where it is a binary one."""
    head: dict[str, Any] = {"name": name, "datatype": datatype, "shape": [len(values)]}
    if any(isinstance(value, bytes) for value in values):
        # The content of files is taken as such, whatever arrays a model takes beside it.
        parts = [len(value or b"").to_bytes(4, "little") + (value or b"") for value in values]
        head["datatype"], content = "BYTES", b"".join(parts)
    elif datatype not in _NUMPY:
        return {
            **head,
            "data": [value if value is None or isinstance(value, str) else _text(value) for value in values],
        }, b""
    elif any(isinstance(value, float) and not math.isfinite(value) for value in values) and None not in values:
        import numpy as np

        content = np.array(values, _NUMPY[datatype]).tobytes()
    else:
        return {**head, "data": [None if value != value else value for value in values]}, b""
    return {**head, "parameters": {"binary_data_size": len(content)}}, content


def _text(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _columns(outputs: Sequence[dict[str, Any]], golden: Golden) -> dict[str, list[Any]]:
    """What a server gave, in the columns of a table of predictions; all scores may come as one tensor."""
    expected = golden.predictions
    scores = [name for name in expected.column_names if name.startswith("score_")]
    found: dict[str, list[Any]] = {}
    for output in outputs:
        data = output.get("data") or []
        shape = output.get("shape") or [len(data)]
        if output["name"] == "scores" and "scores" not in expected.column_names:
            width = int(shape[-1])
            flat = [value for row in data for value in (row if isinstance(row, list) else [row])]
            names = scores if len(scores) == width else [f"scores[{place}]" for place in range(width)]
            found |= {name: flat[place::width] for place, name in enumerate(names)}
        else:
            found[output["name"]] = list(data)
    return {
        name: [_read(value, one) for value, one in zip(values, expected.column(name).to_pylist(), strict=False)]
        if name in expected.column_names
        else values
        for name, values in found.items()
    }


def _read(value: Any, expected: Any) -> Any:
    """A value out of JSON, as what is expected: NaN has no word there, and a time is a text."""
    if value is None and isinstance(expected, float) and math.isnan(expected):
        return expected
    if isinstance(value, str) and not isinstance(expected, str) and value in (str(expected), _text(expected)):
        return expected
    return value
