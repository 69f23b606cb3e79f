"""``sklearn.onnx``: a fitted scikit-learn model as one ONNX file, predicted by onnxruntime without scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mercury_core.contracts import Fault
from mercury_core.errors import ProviderNotInstalledError, UnsavableModelError
from mercury_onnx import specs
from mercury_onnx.session import TOLERANCE, need, opened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mercury_core.contracts import Model
    from mercury_onnx.model import OnnxModel

_KEY, _FILE = "sklearn.onnx", "model.onnx"
_EXPORT, _INSTALL = "'mercury-onnx[export]'", "mercury-onnx"


class SklearnOnnxFormat:
    """A directory of ``model.onnx`` and ``model.json``; written with scikit-learn and skl2onnx, read without either.

    Attributes:
        tolerance: See `mercury_core.contracts.ModelFormat`.
        exports: Likewise.
    """

    tolerance = TOLERANCE
    exports = True

    def save(self, model: Model, path: Path, *, intra_op_num_threads: int = 1) -> Path:
        """Export a model, and prove that it predicts the same.

        Args:
            model: A model of ``sklearn.fit``.
            path: The directory to make.
            intra_op_num_threads: On how many threads an operator computes where the model is loaded; 0 for one a core.

        Returns:
            `path`.

        Raises:
            UnsavableModelError: It holds something that ONNX has no operator for, or predicts otherwise after that.
            ProviderNotInstalledError: skl2onnx or mercury-sklearn is missing.
        """
        _need_exporter()
        from mercury_onnx.sklearn_export import exported

        source = _as_sklearn(model)
        if not 0 <= intra_op_num_threads <= 1024:
            from mercury_core.errors import ArgumentsError

            why = f"'intra_op_num_threads' is {intra_op_num_threads}: expected 1 or more, or 0 for one a core."
            raise ArgumentsError("save", _KEY, [why])
        content, spec = exported(source, _KEY, intra_op_num_threads)
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        (path / _FILE).write_bytes(content)
        specs.write(path, _KEY, spec)
        return path

    def check_params(self, params: Mapping[str, Any]) -> Iterator[Fault]:  # noqa: ARG002
        """Whether what writes it is there: told before a training, and not after it."""
        try:
            _need_exporter()
        except ProviderNotInstalledError as error:
            yield Fault((), str(error))

    def load(self, path: Path, *, trusted: Collection[str] = ()) -> OnnxModel:  # noqa: ARG002
        """Read an exported model: it predicts by onnxruntime, and needs no scikit-learn.

        Args:
            path: What `save` gave back.
            trusted: Of no meaning here: nothing of the file is looked up by name.

        Raises:
            CorruptBundleError: It refers to other files, uses operators that are not of the standard, claims numbers
                that are not there, or takes and gives something else than stands beside it.
            BundleFormatError: It is not what `save` wrote.
            ProviderNotInstalledError: onnx or onnxruntime is missing.
        """
        need(_KEY, _INSTALL, "onnx", "onnxruntime")
        from mercury_onnx.model import model_of

        path = Path(path)
        spec, file = specs.read(path, _KEY), path / _FILE
        return model_of(opened(file, threads=spec.threads, advice=spec.advice), spec, file)


def _need_exporter() -> None:
    need(_KEY, _EXPORT, "onnx", "onnxruntime", "skl2onnx", "sklearn", "mercury_sklearn")


def _as_sklearn(model: Model) -> Any:
    from mercury_sklearn.model import SklearnModel

    from mercury_onnx.model import OnnxModel

    if isinstance(model, OnnxModel):
        raise UnsavableModelError(
            repr(model),
            "it was exported, and an exported model can predict and no more",
            "Copy the files that it was loaded from, or save the scikit-learn model that it was exported from.",
        )
    if not isinstance(model, SklearnModel):
        is_bundle = isinstance(getattr(model, "model", None), SklearnModel)
        todo = "Take its own model, bundle.model, or store_model, which writes the transforms too."
        raise UnsavableModelError(
            repr(model),
            f"{_KEY} writes the models of sklearn.fit",
            todo if is_bundle else "Choose the format of the plugin that fitted it.",
        )
    return model


#: The provider ``sklearn.onnx``.
sklearn_onnx = SklearnOnnxFormat()
