"""PyTorch's own export: one ``.pt2`` file, which torch runs without Keras, and compiles further.

``torch.export.load`` unpickles, and evaluates text of the file as expressions: whoever wrote the file can run code. So
a bundle of this format is loaded with ``trust=True`` only.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mercury_core.contracts import Fault
from mercury_core.errors import ProviderNotInstalledError, UnsavableModelError
from mercury_keras.formats import common, exported
from mercury_keras.formats.reading import loading, saving

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from mercury_core.contracts import Model
    from mercury_keras.model import KerasModel
    from mercury_keras.specs import ModelSpec

_KEY, _FILE = "keras.torch_export", "model.pt2"


class TorchExportFormat:
    """A directory of ``model.pt2`` and ``model.json``; written under the torch backend, read with torch alone.

    Attributes:
        tolerance: See `mercury_core.contracts.ModelFormat`.
        needs_pickle: Likewise.
    """

    tolerance = exported.TOLERANCE
    needs_pickle = "whatever the file brings, through torch.export.load"

    def save(self, model: Model, path: Path) -> Path:
        """Export a model, for any number of rows at once, and prove that it predicts the same.

        Args:
            model: A model of ``keras.fit``.
            path: The directory to make.

        Returns:
            `path`.

        Raises:
            UnsavableModelError: Keras runs on another backend; or it cannot be exported, or predicts otherwise after.
        """
        from mercury_keras.backend import lacks

        source = common.as_keras(model, _KEY)
        lack = lacks("torch")
        if lack is not None:
            raise UnsavableModelError(repr(source), f"{_KEY} cannot be used: {lack[0]}", lack[1])
        path = common.make(path, source)
        with saving(source, _KEY), exported.quiet():
            order = exported.order_of(source.spec)
            write_program(exported.forward(source), source.spec, path / _FILE)
            _, run = _opened(path / _FILE, order)
        exported.prove(source, _KEY, run)
        return common.write(path, source, _KEY, custom={}, outputs=order)

    def check_params(self, params: Mapping[str, Any]) -> Iterator[Fault]:  # noqa: ARG002
        """Whether Keras runs on the backend that it needs: told before a training, and not after it."""
        from mercury_keras.backend import lacks

        lack = lacks("torch")
        if lack is not None:
            yield Fault((), f"{_KEY} cannot be used: {lack[0]}. {lack[1]}")

    def load(self, path: Path, *, trusted: Collection[str] = ()) -> KerasModel:  # noqa: ARG002
        """Read an exported model: it predicts, by torch, and needs no Keras. Code that the file brings is run.

        Args:
            path: What `save` gave back.
            trusted: Of no meaning here: nobody can tell what such a file does.

        Raises:
            BundleFormatError: It is no such file, or one of another torch.
            ProviderNotInstalledError: torch is missing.
        """
        from mercury_keras.model import KerasModel

        if find_spec("torch") is None:
            raise ProviderNotInstalledError("save", _KEY, "'mercury-keras[torch]'")
        path = Path(path)
        beside, file = common.read(path, _KEY), path / _FILE
        with loading(file, beside):
            program, run = _opened(file, beside.outputs)
        return KerasModel(program, beside.spec, run)


def write_program(forward: Any, spec: ModelSpec, file: Path) -> None:
    """Write a ``.pt2`` file of what `exported.forward` gave."""
    forward.export(
        str(file),
        format="torch",
        verbose=False,
        input_signature=exported.signature(spec),
        dynamic_shapes=_any_rows(spec),
    )


def _any_rows(spec: ModelSpec) -> Any:
    """The dimensions that may differ from call to call, in the structure in which Keras calls a model."""
    import torch

    rows = {0: torch.export.Dim("rows", min=1)}
    return [({one.name: rows for one in spec.inputs},)] if len(spec.inputs) > 1 else [(rows,)]


def _opened(file: Path, order: Sequence[str]) -> tuple[Any, Callable[[Any], dict[str, Any]]]:
    """The program, and how it predicts a batch."""
    import numpy as np
    import torch

    program = torch.export.load(str(file))
    module = program.module()
    device = next((tensor.device for tensor in program.state_dict.values()), torch.device("cpu"))

    def tensor(array: Any) -> Any:
        return torch.from_numpy(np.array(array, np.float32)).to(device)

    def run(x: Any) -> dict[str, Any]:
        with torch.no_grad():
            found = module({name: tensor(part) for name, part in x.items()} if isinstance(x, dict) else tensor(x))
        if isinstance(found, dict):
            found = {name: found[name] for name in order} if len(order) > 1 else found
            parts = list(found.values())
        else:
            parts = list(found) if isinstance(found, list | tuple) else [found]
        return {name: part.float().cpu().numpy() for name, part in zip(order, parts, strict=True)}

    return program, run


#: The provider ``keras.torch_export``.
torch_export = TorchExportFormat()
