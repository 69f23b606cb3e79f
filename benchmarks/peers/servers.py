"""Servers of one scikit-learn pipeline: how each is installed, started and asked, as its own documentation says.

Sources, read in November 2026: https://docs.seldon.ai/mlserver/api-reference/settings,
https://docs.seldon.ai/mlserver/runtimes/sklearn, https://docs.bentoml.com/en/latest/guides/services.html,
https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/, https://lightning.ai/docs/litserve/api-reference
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peers.environments import python_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COLUMNS = 20

#: Fits the same pipeline in whichever environment it runs.
FIT = """
import sys
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
random = np.random.default_rng(7)
rows = random.normal(size=(2000, 20))
labels = (rows @ random.normal(size=20) + random.normal(size=2000) > 0).astype(int)
pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)
"""

_JOBLIB = FIT + "import joblib; joblib.dump(pipeline, 'model.joblib')\n"
_MLFLOW = FIT + "import mlflow.sklearn; mlflow.sklearn.save_model(pipeline, 'model')\n"
_MERCURY = (
    FIT
    + """
import pyarrow as pa
from mercury_sklearn.model import SklearnModel
from mercury_core import Bundle, DataBunch, DataSet, store_model
names = [f"x{place}" for place in range(20)]
table = pa.table([*rows.T.copy(), labels], names=[*names, "y"])
train = DataBunch({"train": DataSet.from_table(table, {"targets": "y"})})
model = Bundle.of(SklearnModel(pipeline, names, ["y"], "numpy", ["int64"]), train)
store_model(model, "bundle", format=sys.argv[1])
"""
)

_BY_HAND = """
import sys, joblib, msgspec, numpy, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
model = joblib.load("model.joblib")
class Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]
class Request(msgspec.Struct):
    inputs: list[Tensor]
decode, encode = msgspec.json.Decoder(Request).decode, msgspec.json.Encoder().encode
async def infer(request):
    tensor = decode(await request.body()).inputs[0]
    found = model.predict(numpy.array(tensor.data).reshape(tensor.shape)).tolist()
    output = {"name": "prediction", "datatype": "INT64", "shape": [len(found)], "data": found}
    return Response(encode({"model_name": "model", "outputs": [output]}), media_type="application/json")
async def ready(request):
    return Response(b"{}", media_type="application/json")
routes = [Route("/v2/models/model/infer", infer, methods=["POST"]), Route("/v2/health/ready", ready)]
uvicorn.run(Starlette(routes=routes), port=int(sys.argv[1]), log_level="error", access_log=False)
"""

_LITSERVE = """
import sys, joblib, numpy
import litserve
class Api(litserve.LitAPI):
    def setup(self, device):
        self.model = joblib.load("model.joblib")
    def decode_request(self, request):
        return numpy.array(request["input"])
    def predict(self, rows):
        return self.model.predict(rows)
    def encode_response(self, found):
        return {"output": found.tolist()}
if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="error", generate_client_file=False, access_log=False)
"""

_BENTOML = """
import bentoml, joblib, numpy
@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Model:
    def __init__(self):
        self.model = joblib.load("model.joblib")
    @bentoml.api
    def predict(self, rows: numpy.ndarray) -> numpy.ndarray:
        return self.model.predict(rows)
"""


@dataclass(frozen=True)
class Server:
    """One server.

    Attributes:
        name: In the table.
        packages: What pip installs for it; nothing for ours, which is in this environment.
        make: A program that writes the model into the directory that it runs in.
        argument: Of that program.
        files: More files for that directory.
        command: What starts it, for a Python and ports.
        path: Where it predicts.
        ready: What answers 200 once it is ready.
        body: The JSON of some rows.
        labels: From the answer to the labels.
        env: For the server.
    """

    name: str
    packages: tuple[str, ...]
    make: str
    command: Callable[[str, list[int]], list[str]]
    path: str
    ready: str
    body: Callable[[list[list[float]]], Any]
    labels: Callable[[Any], list[Any]]
    files: Callable[[list[int]], Mapping[str, str]] = lambda _: {}
    argument: str = ""
    env: Mapping[str, str] | None = None


def _tensor(name: str, output: str) -> Callable[[list[list[float]]], Any]:
    def body(rows: list[list[float]]) -> Any:
        data = [value for row in rows for value in row]
        tensor = {"name": name, "shape": [len(rows), COLUMNS], "datatype": "FP64", "data": data}
        return {"inputs": [tensor], "outputs": [{"name": output}]}

    return body


def _first_output(answer: Any) -> list[Any]:
    data: list[Any] = answer["outputs"][0]["data"]
    return data


def _mlserver(*, in_process: bool) -> Server:
    def files(ports: list[int]) -> dict[str, str]:
        names = ("http_port", "grpc_port", "metrics_port")
        settings = {"host": "127.0.0.1", "debug": False, **dict(zip(names, ports, strict=False))}
        if in_process:
            settings["parallel_workers"] = 0
        model = {
            "name": "model",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": "./model.joblib"},
        }
        return {"settings.json": json.dumps(settings), "model-settings.json": json.dumps(model)}

    return Server(
        "MLServer in-process" if in_process else "MLServer",
        # With a later uvloop no process of MLServer 1.7 that predicts starts: it asks for a loop before there is one.
        ("mlserver", "mlserver-sklearn", "uvloop<0.22"),
        _JOBLIB,
        lambda python, _: [str(Path(python).with_name("mlserver")), "start", "."],
        "/v2/models/model/infer",
        "/v2/models/model/ready",
        _tensor("predict", "predict"),
        _first_output,
        files,
    )


def _mercury(name: str, form: str) -> Server:
    return Server(
        name,
        (),
        _MERCURY,
        lambda python, ports: [python, "-m", "mercury_core", "serve", "bundle", "--port", str(ports[0])],
        "/v2/models/model/infer",
        "/v2/health/ready",
        _tensor("features", "prediction"),
        _first_output,
        argument=form,
    )


SERVERS: dict[str, Server] = {
    one.name: one
    for one in (
        _mercury("mercury", "sklearn.skops"),
        _mercury("mercury onnx", "sklearn.onnx"),
        _mlserver(in_process=True),
        Server(
            "by hand",
            ("starlette", "msgspec", "uvicorn[standard]", "scikit-learn"),
            _JOBLIB,
            lambda python, ports: [python, "server.py", str(ports[0])],
            "/v2/models/model/infer",
            "/v2/health/ready",
            _tensor("features", "prediction"),
            _first_output,
            lambda _: {"server.py": _BY_HAND},
        ),
        _mlserver(in_process=False),
        Server(
            "BentoML",
            ("bentoml", "scikit-learn"),
            _JOBLIB,
            lambda python, ports: [
                *(str(Path(python).with_name("bentoml")), "serve", "service:Model"),
                *("--host", "127.0.0.1", "--port", str(ports[0])),
            ],
            "/predict",
            "/readyz",
            lambda rows: {"rows": rows},
            lambda answer: list(answer),
            lambda _: {"service.py": _BENTOML},
            env={"BENTOML_DO_NOT_TRACK": "True"},
        ),
        Server(
            "MLflow",
            ("mlflow", "scikit-learn"),
            _MLFLOW,
            lambda python, ports: [
                *(str(Path(python).with_name("mlflow")), "models", "serve", "-m", "model", "-h", "127.0.0.1"),
                *("-p", str(ports[0]), "--env-manager", "local", "--workers", "1"),
            ],
            "/invocations",
            "/ping",
            lambda rows: {"inputs": rows},
            lambda answer: list(answer["predictions"]),
            env={"MLFLOW_DISABLE_TELEMETRY": "true"},
        ),
        Server(
            "LitServe",
            ("litserve", "scikit-learn"),
            _JOBLIB,
            lambda python, ports: [python, "server.py", str(ports[0])],
            "/predict",
            "/health",
            lambda rows: {"input": rows},
            lambda answer: list(answer["output"]),
            lambda _: {"server.py": _LITSERVE},
        ),
    )
}


def python_for(server: Server) -> str:
    """The Python that has what a server needs.

    Raises:
        RuntimeError: It cannot be installed.
    """
    return python_of(server.packages[0], server.packages) if server.packages else sys.executable
