"""A fitted Keras model, or one that was exported from Keras, as a model of Mercury.

Nothing here imports Keras: a model that lies in an exported format predicts without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercury_core.errors import MercuryError, MissingColumnsError, PredictError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mercury_core.data import DataSet, Predictions
    from mercury_keras.specs import ModelSpec


class KerasModel:
    """A model with the names of what it takes and gives.

    Attributes:
        underlying: The Keras model; or, of an exported format, the object that its library loaded: an onnxruntime
            session, a TensorFlow SavedModel, a torch program.
        spec: What it takes and gives.
    """

    def __init__(self, underlying: Any, spec: ModelSpec, run: Callable[[Any], Any] | None = None) -> None:
        """Name what a model takes and gives.

        Args:
            underlying: The model.
            spec: What it takes and gives.
            run: How `underlying` predicts a batch (an array, or arrays by input), where it is no Keras model: it gives
                an array, a list of arrays or a mapping of them by output.
        """
        self.underlying = underlying
        self.spec = spec
        self._run = run

    @property
    def is_keras(self) -> bool:
        """Whether `underlying` is a Keras model, which can be trained further and saved in any format."""
        return self._run is None

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """The labels of a classifier of one target, in the order of the score columns; else None."""
        return self.spec.outputs[0].classes if len(self.spec.outputs) == 1 else None

    @property
    def training(self) -> Mapping[str, Any]:
        """How the training went: see `mercury_core.contracts.Trained`."""
        return self.spec.training

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of an image, by its column: see `mercury_core.contracts.Shaped`."""
        return {one.columns[0]: one.image.shape for one in self.spec.inputs if one.image is not None}

    @property
    def reader(self) -> str | None:
        """The reader of a directory of images, where they are all that the model takes: see `contracts.Sourced`."""
        from mercury_keras.images.listing import IMAGE

        taken = [(one.image is not None, one.columns) for one in self.spec.inputs]
        return "keras.images" if taken == [(True, (IMAGE,))] else None

    def predict(self, data_set: DataSet) -> Predictions:
        """Predict every row, in batches: memory is bounded by one batch and by what is predicted.

        Args:
            data_set: Its features are taken by name; columns that the model does not know are left out.

        Returns:
            ``values`` has a column a target: labels of the target's type, or numbers. ``scores``: of one target of
            labels, one column a class in the order of ``classes``, probabilities (made of logits where the model gives
            those); of several targets of yes and no, one column a target; of numbers, none.

        Raises:
            MissingColumnsError: Features are missing.
            PredictError: The model refused the rows, or gave no numbers.
            ReadError: An image that cannot be read.
        """
        import numpy as np

        from mercury_keras import batches, outputs

        spec, features = self.spec, data_set.features
        missing = [name for one in spec.inputs for name in one.columns if name not in features]
        if missing:
            raise MissingColumnsError("The data to predict", missing, features.field_names)
        parts: list[dict[str, Any]] = []
        first = 0
        for block in batches.blocks(features, spec.inputs, spec.batch_size) if features.num_rows else ():
            rows = len(next(iter(block.values())) if isinstance(block, dict) else block)
            parts.append(self._predict(block, rows, first))
            first += rows
        if not parts:
            parts.append({one.name: np.empty((0, one.units), np.float32) for one in spec.outputs})
        arrays = {one.name: np.concatenate([part[one.name] for part in parts]) for one in spec.outputs}
        return outputs.predictions(arrays, spec.outputs)

    def _predict(self, block: Any, rows: int, first: int) -> dict[str, Any]:
        """What the model gives for one batch, by output; `first` is the place of its first row in the data."""
        from mercury_keras import outputs
        from mercury_keras.formats.common import first_line

        what, given = repr(self), self.spec.outputs
        names = tuple(getattr(self.underlying, "output_names", None) or ()) if self.is_keras else ()
        try:
            raw = (self._run or self.underlying.predict_on_batch)(block)
        except MercuryError:
            raise
        except Exception as error:  # whatever the library behind the model raises
            raise PredictError(what, first_line(error)) from error
        found, advice = outputs.by_output(raw, given, names, what), _advice(block, self.spec)
        return {one.name: outputs.check(found[one.name], one, rows, first, what, advice) for one in given}

    def __repr__(self) -> str:
        name = getattr(self.underlying, "name", None) if self.is_keras else None
        taken = " + ".join(
            f"{len(one.columns)} feature{'s' * (len(one.columns) != 1)}"
            if one.image is None
            else f"images {one.name!r}"
            for one in self.spec.inputs
        )
        given = ", ".join(target for one in self.spec.outputs for target in one.targets)
        return f"KerasModel({name or type(self.underlying).__name__}: {taken} -> {given})"


def _advice(block: Any, spec: ModelSpec) -> str:
    """What is to be done where these rows give no numbers."""
    import numpy as np

    odd = [
        name
        for one in spec.inputs
        if one.image is None
        for name, column in zip(one.columns, (block[one.name] if isinstance(block, dict) else block).T, strict=True)
        if not np.isfinite(column).all()
    ]
    if not odd:
        return "Its weights may be no numbers: look at how it was trained."
    shown = ", ".join(map(repr, odd[:8])) + (" …" if len(odd) > 8 else "")
    return f"Missing or infinite values are in {shown}: fill them with sklearn.preprocess, or leave out these rows."
