"""Clients that others wrote: NVIDIA's for binary tensors, and one generated from the protocol's document."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

from tests.http.models import TYPES, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterator

with warnings.catch_warnings():
    # geventhttpclient and the generated client warn when they are imported, of nothing that is ours.
    warnings.simplefilter("ignore")
    import tritonclient.http as triton
    from open_inference.openapi.client import OpenInferenceClient
    from open_inference.openapi.core.api_error import ApiError
    from open_inference.openapi.errors import BadRequestError
    from open_inference.openapi.types import InferenceRequest
    from tritonclient.utils import InferenceServerException, np_to_triton_dtype

ROWS = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 4.0]])
YES = 1 / (1 + np.exp(-(ROWS * WEIGHTS).sum(axis=1)))


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    client = triton.InferenceServerClient(url.removeprefix("http://"))
    yield client
    client.close()


def given(name: str, values: np.ndarray, *, binary: bool = True) -> Any:
    tensor = triton.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def test_triton_sees_server_and_models(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("paid")
    assert client.is_model_ready("paid", "run-7")
    assert not client.is_model_ready("nobody")
    assert client.get_server_metadata()["name"] == "mercury"
    assert client.get_model_metadata("paid")["inputs"][0] == {"name": "a", "datatype": "FP64", "shape": [-1]}


def test_triton_sees_which_models_there_are(client: Any) -> None:
    told = client.get_model_repository_index()
    assert {"name": "paid", "version": "run-7", "state": "READY", "reason": ""} in told
    assert {one["name"] for one in told} >= {"paid", "echo", "images"}


@pytest.mark.parametrize("binary", [True, False], ids=["bytes", "json"])
@pytest.mark.parametrize("back", [True, False], ids=["bytes back", "json back"])
def test_triton_predicts(client: Any, binary: bool, back: bool) -> None:
    outputs = [triton.InferRequestedOutput(name, binary_data=back) for name in ("scores", "prediction")]
    result = client.infer(
        "paid", [given("features", ROWS, binary=binary)], outputs=outputs, request_id="7", model_version="run-7"
    )
    assert result.get_response()["id"] == "7"
    assert result.as_numpy("scores").tolist() == np.column_stack([1 - YES, YES]).tolist()
    labels = [label.decode() if isinstance(label, bytes) else label for label in result.as_numpy("prediction")]
    assert labels == ["no", "yes"]


def test_triton_asks_for_all_outputs_in_bytes(client: Any) -> None:
    result = client.infer("paid", [given(name, ROWS[:, place].copy()) for place, name in enumerate("abc")])
    assert result.as_numpy("scores").shape == (2, 2)
    assert result.as_numpy("prediction").tolist() == [b"no", b"yes"]


@pytest.mark.parametrize("binary", [True, False], ids=["bytes", "json"])
def test_triton_sends_every_datatype(client: Any, binary: bool) -> None:
    kinds: dict[str, Any] = {"BOOL": np.bool_, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64}
    values = {name: np.array([1, 0], kinds.get(name, name.lower())) for name in TYPES if name != "BYTES"}
    values["BYTES"] = np.array(["ä", ""], np.object_)
    # This client has FP16 in bytes only.
    inputs = [given(name.lower(), array, binary=binary or name == "FP16") for name, array in values.items()]
    result = client.infer("echo", inputs)
    for name, array in values.items():
        back = result.as_numpy(f"prediction_{name.lower()}").tolist()
        assert [one.decode() if isinstance(one, bytes) else one for one in back] == array.tolist()


def test_triton_is_told_why(client: Any) -> None:
    with pytest.raises(InferenceServerException, match="There is no input 'x'"):
        client.infer("paid", [given("x", ROWS)])
    with pytest.raises(InferenceServerException, match="There is no model 'nobody'"):
        client.infer("nobody", [given("features", ROWS)])
    with pytest.raises(InferenceServerException, match="There is no output 'x'"):
        client.infer("paid", [given("features", ROWS)], outputs=[triton.InferRequestedOutput("x")])


@pytest.fixture
def generated(url: str) -> Iterator[Any]:
    with httpx.Client(timeout=30) as connections:
        yield OpenInferenceClient(base_url=url, httpx_client=connections)


def test_the_generated_client(generated: Any) -> None:
    generated.check_server_liveness()
    generated.check_server_readiness()
    generated.check_model_readiness("paid")
    generated.check_model_version_readiness("paid", "run-7")
    assert generated.read_server_metadata().name == "mercury"
    metadata = generated.read_model_version_metadata("paid", "run-7")
    assert [tensor.name for tensor in metadata.inputs or []] == ["a", "b", "c"]
    request = {
        "id": "42",
        "inputs": [{"name": "features", "shape": [2, 3], "datatype": "FP64", "data": ROWS.tolist()}],
        "outputs": [{"name": "scores"}],
    }
    result = generated.model_infer("paid", request=InferenceRequest.parse_obj(request))
    assert (result.model_name, result.id) == ("paid", "42")
    assert result.outputs[0].shape == [2, 2]
    flat = result.outputs[0].dict()["data"]
    assert flat == np.column_stack([1 - YES, YES]).ravel().tolist()


def test_the_generated_client_is_told_why(generated: Any) -> None:
    request = InferenceRequest.parse_obj({"inputs": []})
    with pytest.raises(BadRequestError, match="missing"):
        generated.model_infer("paid", request=request)
    with pytest.raises(ApiError, match="There is no model"):
        generated.model_infer("nobody", request=request)
