"""ONNX: one ``.onnx`` file, which onnxruntime runs in Python, C, Java, JavaScript and more, without Keras."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mercury_core.contracts import Fault
from mercury_core.errors import ProviderNotInstalledError, UnsavableModelError
from mercury_keras.formats import common, exported
from mercury_keras.formats.reading import saving

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mercury_core.contracts import Model
    from mercury_keras.model import KerasModel
    from mercury_keras.specs import ModelSpec

_KEY, _FILE = "keras.onnx", "model.onnx"
_INSTALL = "'mercury-keras[onnx]'"
_READERS = ("onnx", "onnxruntime", "mercury_onnx")
# Keras's own way of export under torch cannot write these for any number of rows.
_NEWER = frozenset({"LayerNormalization", "GroupNormalization", "RMSNormalization"})
_INSIDES = (
    "You are using the legacy TorchScript-based ONNX export",
    "The feature will be removed",
    "Converting a tensor to a Python",
    "torch.as_tensor results are registered as constants",
    "Iterating over a tensor might cause the trace",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
)


class OnnxFormat:
    """A directory of ``model.onnx`` and ``model.json``; written under torch or TensorFlow, read without either.

    Attributes:
        tolerance: See `mercury_core.contracts.ModelFormat`.
        exports: Likewise.
    """

    tolerance = exported.TOLERANCE
    exports = True

    def save(self, model: Model, path: Path, *, opset_version: int | None = None) -> Path:
        """Export a model, for any number of rows at once, and prove that it predicts the same.

        Args:
            model: A model of ``keras.fit``.
            path: The directory to make.
            opset_version: Of ONNX's operators; None for the exporter's own choice.

        Returns:
            `path`.

        Raises:
            UnsavableModelError: It cannot be exported on this backend, or predicts otherwise after that.
            ProviderNotInstalledError: A package for it is missing.
        """
        source = common.as_keras(model, _KEY)
        _need_exporter(repr(source))
        from mercury_onnx import session as sessions

        path = common.make(path, source)
        with saving(source, _KEY), exported.quiet(*_INSIDES):
            order = exported.order_of(source.spec)
            _export(exported.forward(source), source.spec, path / _FILE, opset_version)
            session = sessions.opened(path / _FILE, threads=None)
        exported.prove(source, _KEY, _run(session, order, source.spec))
        return common.write(path, source, _KEY, custom={}, outputs=order)

    def check_params(self, params: Mapping[str, Any]) -> Iterator[Fault]:  # noqa: ARG002
        """Whether what writes it is there: told before a training, and not after it."""
        try:
            _need_exporter("a model")
        except (ProviderNotInstalledError, UnsavableModelError) as error:
            yield Fault((), str(error))

    def load(self, path: Path, *, trusted: Collection[str] = ()) -> KerasModel:  # noqa: ARG002
        """Read an exported model: it predicts, by onnxruntime, and needs neither Keras nor a backend.

        Args:
            path: What `save` gave back.
            trusted: Of no meaning here: nothing of the file is looked up by name.

        Raises:
            CorruptBundleError: It refers to files elsewhere, uses operators that are not of the standard, or claims
                numbers that are not there.
            BundleFormatError: It is no ONNX file that can be read.
            ProviderNotInstalledError: mercury-onnx is missing.
        """
        from mercury_keras.model import KerasModel

        _need(*_READERS)
        from mercury_onnx import session as sessions

        path = Path(path)
        beside, file = common.read(path, _KEY), path / _FILE
        session = sessions.opened(file, threads=None, advice=common.advice(beside))
        return KerasModel(session, beside.spec, _run(session, beside.outputs, beside.spec))


def _need(*packages: str) -> None:
    if any(find_spec(package) is None for package in packages):
        raise ProviderNotInstalledError("save", _KEY, _INSTALL)


def _need_exporter(model: str) -> None:
    from mercury_keras.backend import name

    _need(*_READERS)
    backend = name()
    if backend == "torch":
        _need("onnxscript")
    elif backend != "tensorflow" or find_spec("tf2onnx") is None:
        why = f"{_KEY} is written under torch, or under TensorFlow with tf2onnx, and Keras runs on {backend}"
        todo = "Set KERAS_BACKEND=torch before Python starts, and load the model there from keras.native."
        raise UnsavableModelError(model, why, todo)


def _export(forward: Any, spec: ModelSpec, file: Path, opset_version: int | None) -> None:
    """By Keras's own exporter; by torch's newer one, which takes seconds, where the model needs that."""
    from mercury_keras.backend import name

    on_torch = name() == "torch"
    if on_torch:
        import torch

        # What the older exporter of torch prints of a graph that it cannot write is no output of ours.
        torch._C._jit_set_onnx_log_output_stream("stderr")
    if on_torch and _NEWER & {type(layer).__name__ for layer in forward._flatten_layers()}:
        _export_newer(forward, spec, file, opset_version)
        return
    signature = exported.signature(spec)
    try:
        forward.export(str(file), format="onnx", verbose=False, input_signature=signature, opset_version=opset_version)
    except Exception:
        if not on_torch:
            raise
        _export_newer(forward, spec, file, opset_version)


def _export_newer(forward: Any, spec: ModelSpec, file: Path, opset_version: int | None) -> None:
    import torch

    from mercury_keras.formats.torch_export import write_program

    with TemporaryDirectory(prefix="mercury-") as here:
        # Written here and now, so it is as trusted as the model itself.
        write_program(forward, spec, Path(here) / "model.pt2")
        program = torch.export.load(f"{here}/model.pt2")
    result: Any = torch.onnx.export(
        program, dynamo=True, verbose=False, input_names=[one.name for one in spec.inputs], opset_version=opset_version
    )
    result.save(file)


def _run(session: Any, order: Any, spec: Any) -> Any:
    """How a session predicts a batch."""
    import numpy as np

    names = [one.name for one in session.get_inputs()]
    kinds = {one.name: np.float64 if "double" in one.type else np.float32 for one in session.get_inputs()}

    def run(x: Any) -> dict[str, Any]:
        feed = x if isinstance(x, dict) and len(names) > 1 else {names[0]: x}
        feed = {name: np.ascontiguousarray(feed[name], kinds[name]) for name in names}
        return dict(zip(order or [one.name for one in spec.outputs], session.run(None, feed), strict=True))

    return run


#: The provider ``keras.onnx``.
onnx = OnnxFormat()
