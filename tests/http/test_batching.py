"""What waits is predicted together; what is not alike is not; nobody pays for others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mercury_http.batching import Cost
from mercury_http.server import serve

from tests.http import models
from tests.http.conftest import Answer, ask
from tests.http.test_protocol import binary_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mercury_http.service import HttpService


def body(values: list[float], datatype: str = "FP64") -> dict[str, Any]:
    tensor = {"name": "features", "shape": [len(values) // 3, 3], "datatype": datatype, "data": values}
    return {"inputs": [tensor], "outputs": [{"name": "scores"}]}


class Held:
    """A server whose model waits at a gate."""

    def __init__(self, service: HttpService, gate: models.Gate) -> None:
        self.service, self.gate = service, gate
        self.pool = ThreadPoolExecutor(64)

    def ask(self, request: dict[str, Any]) -> Any:
        return self.pool.submit(ask, self.service.url, "/v2/models/model/infer", request)

    def hold(self) -> Any:
        """Let one request come as far as into the model."""
        self.gate.sizes.clear()
        self.gate.entered.clear()
        self.gate.go.clear()
        first = self.ask(body([0.0, 0.0, 0.0]))
        assert self.gate.entered.wait(30)
        return first

    def wait_for(self, count: int) -> None:
        """Return when so many requests wait."""
        served = self.service.app.shelf.get("model")
        while served.batcher.waiting < count:
            pass


@pytest.fixture
def held() -> Iterator[Held]:
    gate = models.Gate()
    with serve(models.classifier(gate), port=0, most_waiting=40, predict_timeout=20.0) as service:
        held = Held(service, gate)
        with held.pool:
            yield held
            gate.go.set()


def test_what_waits_is_predicted_together(held: Held) -> None:
    first = held.hold()
    waiting = [held.ask(body([float(place), 1.0, 2.0] * (1 + place % 3))) for place in range(30)]
    held.wait_for(30)
    held.gate.go.set()
    assert first.result().status == 200
    for place, one in enumerate(waiting):
        alone = ask(held.service.url, "/v2/models/model/infer", body([float(place), 1.0, 2.0])).json
        scores = alone["outputs"][0]["data"]
        assert one.result().json["outputs"][0]["data"] == scores * (1 + place % 3)
    assert held.gate.sizes[:2] == [1, sum(1 + place % 3 for place in range(30))]


def test_a_request_that_is_alone_waits_for_nobody(held: Held) -> None:
    held.gate.sizes.clear()
    for _ in range(5):
        assert ask(held.service.url, "/v2/models/model/infer", body([1.0, 2.0, 3.0])).status == 200
    assert held.gate.sizes == [1] * 5


def test_requests_of_different_kinds_are_not_mixed(held: Held) -> None:
    first = held.hold()
    columns = {"inputs": [{"name": name, "shape": [1], "datatype": "FP64", "data": [1.0]} for name in "abc"]}
    waiting = [held.ask(body([1.0, 1.0, 1.0]) if place % 2 else columns) for place in range(10)]
    held.wait_for(10)
    held.gate.go.set()
    assert {one.result().status for one in [first, *waiting]} == {200}
    assert held.gate.sizes == [1, 5, 5]


def test_too_many_that_wait_are_sent_away(held: Held) -> None:
    first = held.hold()
    waiting = [held.ask(body([1.0, 1.0, 1.0])) for _ in range(40)]
    held.wait_for(40)
    answer = ask(held.service.url, "/v2/models/model/infer", body([1.0, 1.0, 1.0]))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "try again" in answer.error
    assert ask(held.service.url, "/v2/health/ready").status == 200
    held.gate.go.set()
    assert {one.result().status for one in [first, *waiting]} == {200}


@pytest.mark.parametrize(("predict", "status"), [(models.refusing, 400), (models.failing, 500)])
def test_nobody_pays_for_the_rows_of_others(predict: Any, status: int) -> None:
    gate = models.Gate()

    def both(data: Any) -> Any:
        gate(data)
        return predict(data)

    with serve(models.classifier(both), port=0) as service:
        held = Held(service, gate)
        with held.pool:
            held.hold()
            waiting = [held.ask(body([13.0 if place == 3 else 1.0, 0.0, 0.0])) for place in range(8)]
            held.wait_for(8)
            gate.go.set()
            assert [one.result().status for one in waiting] == [status if place == 3 else 200 for place in range(8)]


def test_batches_have_at_most_so_many_rows() -> None:
    gate = models.Gate()
    with serve(models.classifier(gate), port=0, batch_rows=4) as service:
        held = Held(service, gate)
        with held.pool:
            held.hold()
            waiting = [held.ask(body([1.0, 0.0, 0.0] * count)) for count in (2, 2, 2, 9, 1)]
            held.wait_for(5)
            gate.go.set()
            assert {one.result().status for one in waiting} == {200}
    assert max(gate.sizes) == 9  # no request is cut in two
    assert sum(gate.sizes) == 17
    assert all(size <= 4 or size == 9 for size in gate.sizes)


def test_a_model_that_hangs_does_not_keep_others_waiting() -> None:
    gate = models.Gate()
    sources = {"model": models.classifier(gate), "other": models.classifier()}
    with serve(sources, port=0, predict_timeout=0.3) as service:
        held = Held(service, gate)
        with held.pool:
            first = held.hold()
            waiting = held.ask(body([1.0, 1.0, 1.0]))
            assert first.result().status == 504
            assert waiting.result().status == 504
            refused = ask(service.url, "/v2/models/model/infer", body([1.0, 1.0, 1.0]))
            assert (refused.status, refused.headers["retry-after"]) == (503, "10")
            assert ask(service.url, "/v2/health/live").status == 200
            assert ask(service.url, "/v2/health/ready").status == 503
            assert ask(service.url, "/v2/models/model/ready").status == 503
            assert ask(service.url, "/v2/models/other/infer", body([1.0, 1.0, 1.0])).status == 200
            gate.go.set()
            while ask(service.url, "/v2/health/ready").status != 200:
                pass
            assert ask(service.url, "/v2/models/model/infer", body([1.0, 1.0, 1.0])).status == 200


def test_a_model_that_ends_the_process_does_not(caplog: pytest.LogCaptureFixture) -> None:
    def leaving(data: Any) -> Any:
        if (data.features.to("numpy").underlying == 13).any():
            raise SystemExit(3)
        return models.scored(data)

    with serve(models.classifier(leaving), port=0) as service:
        assert ask(service.url, "/v2/models/model/infer", body([13.0, 0.0, 0.0])).status == 500
        assert ask(service.url, "/v2/models/model/infer", body([1.0, 0.0, 0.0])).status == 200
    assert "SystemExit" in caplog.text


def test_models_are_replaced_while_they_are_asked() -> None:
    """Every request is answered, by the old or by the new one, whole."""
    stop = threading.Event()
    answers: list[Answer] = []

    def keep_asking(url: str) -> None:
        while not stop.is_set():
            answers.append(ask(url, "/v2/models/model/infer", body([1.0, 2.0, 3.0])))

    with serve(models.classifier(run="0"), port=0) as service:
        askers = [threading.Thread(target=keep_asking, args=(service.url,)) for _ in range(6)]
        for asker in askers:
            asker.start()
        for number in range(1, 20):
            service.reload("model", models.classifier(run=str(number)))
        stop.set()
        for asker in askers:
            asker.join()
        assert ask(service.url, "/v2/models/model").json["versions"] == ["19"]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["model_version"] for answer in answers}) > 1


def test_a_model_that_cannot_be_loaded_again_stays() -> None:
    def broken() -> Any:
        raise OSError("no disk")

    with serve(models.classifier(run="1"), port=0) as service:
        with pytest.raises(OSError, match="no disk"):
            service.reload("model", broken)
        assert ask(service.url, "/v2/models/model/infer", body([1.0, 2.0, 3.0])).json["model_version"] == "1"


def test_it_is_not_ready_before_it_is_loaded() -> None:
    from mercury_http.server import _reserved
    from mercury_http.service import HttpService
    from mercury_http.settings import Settings

    go = threading.Event()

    def load() -> Any:
        assert go.wait(30)
        return models.classifier()

    with _reserved("127.0.0.1", 0) as place:
        service = HttpService({"model": load}, Settings(), *place.getsockname())
        service.start()
    with service:
        assert ask(service.url, "/v2/health/live").status == 200
        assert ask(service.url, "/v2/health/ready").json == {"live": True, "ready": False}
        refused = ask(service.url, "/v2/models/model/infer", body([1.0, 2.0, 3.0]))
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        told = {"name": "model", "version": "", "state": "UNAVAILABLE", "reason": "loading"}
        assert ask(service.url, "/v2/repository/index", b"").json == [told]
        assert ask(service.url, "/v2/repository/index", {"ready": True}).json == []
        go.set()
        service.wait_until_ready()
        assert ask(service.url, "/v2/health/ready").status == 200


def test_every_row_as_the_bundle_predicts_it(url: str) -> None:
    """No skew: alone, in batches, in JSON and in bytes, to the last bit."""
    bundle = models.classifier()
    random = np.random.default_rng(7)
    for count in (1, 2, 17, 300):
        rows = random.normal(size=(count, 3)) * 10.0 ** random.integers(-6, 6, size=(count, 3))
        from mercury_core import DataWrapper

        expected = bundle.predict(DataWrapper(rows, models.NUMBERS)).scores
        assert expected is not None
        told = ask(url, "/v2/models/paid/infer", body(rows.ravel().tolist())).json["outputs"][0]
        assert told["data"] == expected.underlying.ravel().tolist()
        content, headers = binary_request(
            [("features", "FP64", [count, 3], rows.tobytes())], parameters={"binary_data_output": True},
            outputs=[{"name": "scores"}],
        )  # fmt: skip
        answer = ask(url, "/v2/models/paid/infer", content, headers=headers)
        length = int(answer.headers["inference-header-content-length"])
        assert answer.body[length:] == expected.underlying.tobytes()


def test_cost_is_learnt() -> None:
    cost = Cost()
    assert cost.rows_within(1.0) is None
    for _ in range(10):
        cost.learn(5, 0.01)
    assert cost.rows_within(1.0) is None  # all calls were alike
    for rows in (1, 10, 100) * 20:
        cost.learn(rows, 0.002 * rows)
    assert cost.rows_within(0.05) == 25
    assert cost.rows_within(0.0001) == 1
    for rows in (1, 10, 100) * 60:
        cost.learn(rows, 0.001)
    assert cost.rows_within(0.05) is None or cost.rows_within(0.05) > 1000
