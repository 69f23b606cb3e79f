"""A model that is served: loaded, warmed up, and described."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mercury_core.data import DataSet, DataWrapper
from mercury_http.batching import Batcher
from mercury_http.datatypes import BYTES, datatype_of
from mercury_http.examples import example_rows
from mercury_http.inputs import Inputs, Rows
from mercury_http.outputs import SCORES, Output, Outputs
from mercury_http.protocol import head_of
from mercury_http.refusals import RequestError, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from mercury_core.bundle import Bundle
    from mercury_http.metrics import ModelMetrics
    from mercury_http.settings import Settings

log = logging.getLogger(__name__)


class Served:
    """A bundle behind a name.

    Attributes:
        name: Under which it is asked for.
        version: Of the run that made it; ``1`` where that is not known.
        bundle: The model.
        inputs: What tensors it takes.
        batcher: Where rows are handed in.
        head: How all its answers begin.
    """

    def __init__(self, name: str, bundle: Bundle, settings: Settings, metrics: ModelMetrics) -> None:
        self.name, self.bundle = name, bundle
        self.version = bundle.run or "1"
        self.inputs = Inputs(bundle.signature)
        self.head = head_of(name, self.version)
        self.batcher = Batcher(
            self._predict,
            most_rows=settings.batch_rows,
            most_seconds=settings.batch_seconds,
            most_waiting=settings.most_waiting,
            timeout=settings.predict_timeout,
            watcher=metrics,
            name=name,
        )
        self._outputs: Outputs | None = None
        self._described: list[dict[str, Any]] = []

    async def warm_up(self) -> None:
        """Predict some rows, so that the first request is as fast as others, and see what comes out.

        Raises:
            RequestError: The model refuses rows that it predicted when it was saved.
        """
        golden = self._golden()
        if golden is not None or self.bundle.signature.inputs:
            rows = golden if golden is not None else example_rows(self.bundle.signature)
            try:
                self._outputs, _ = await self.batcher.submit(Rows.of(DataWrapper(rows)), scores=True)
            except RequestError as error:
                if golden is not None:
                    raise
                # Rows that are made up may not be to its taste.
                log.warning("The model %r could not be tried before it was served: %s", self.name, error)
        self._described = self._describe()

    def _golden(self) -> pa.Table | None:
        golden = getattr(self.bundle, "golden", None)
        return golden.rows if golden is not None and golden.rows.num_rows else None

    def example(self) -> pa.Table:
        """Rows to show and to try: those that came with the bundle, or one that is made up."""
        golden = self._golden()
        return example_rows(self.bundle.signature) if golden is None else golden

    def metadata(self) -> dict[str, Any]:
        """What the protocol tells of a model; and the one tensor that may come for all columns."""
        maker = type(self.bundle.underlying).__module__.partition(".")[0]
        told: dict[str, Any] = {
            "name": self.name,
            "versions": [self.version],
            "platform": f"{maker}_mercury",
            "inputs": self.inputs.metadata(),
            "outputs": self._described,
        }
        if self.inputs.matrix:
            width = len(self.inputs.fields)
            matrix = {"name": self.inputs.matrix, "datatype": self.inputs.matrix_datatype, "shape": [-1, width]}
            told["parameters"] = {"matrix": matrix}
        return told

    def require_outputs(self, names: Sequence[str]) -> None:
        """Refuse names of outputs that the model does not have, before it is asked.

        Raises:
            RequestError: There is none of that name.
        """
        known = [output["name"] for output in self._described]
        for name in names:
            if name not in known:
                raise unknown("output", name, known)

    def empty(self) -> Outputs | None:
        """The tensors of no rows; None where it is not known what comes out."""
        return self._outputs

    def _predict(self, features: DataWrapper, scores: bool) -> Outputs:
        return Outputs(self.bundle.predict(DataSet({"features": features}), scores=scores))

    def _describe(self) -> list[dict[str, Any]]:
        if self._outputs is not None:
            return [self._metadata_of(output) for output in self._outputs.by_name.values()]
        signature = self.bundle.signature
        single = len(signature.targets) == 1
        described: list[dict[str, Any]] = [
            {
                "name": "prediction" if single else f"prediction_{field.name}",
                "datatype": datatype_of(field.type),
                "shape": [-1],
            }
            for field in signature.targets
        ] or [{"name": "prediction", "datatype": BYTES, "shape": [-1]}]
        if signature.classes:
            described.append({"name": SCORES, "datatype": "FP64", "shape": [-1, len(signature.classes)]})
        return described

    def _metadata_of(self, output: Output) -> dict[str, Any]:
        told: dict[str, Any] = {
            "name": output.name,
            "datatype": output.datatype,
            "shape": [-1, output.width] if output.width else [-1],
        }
        if output.name == SCORES:
            told["parameters"] = {"columns": self.score_names}
        return told

    @property
    def score_names(self) -> list[str]:
        """What the columns of the scores are for: classes, or targets."""
        return [str(label) for label in self.bundle.signature.classes or self.bundle.signature.target_names]
