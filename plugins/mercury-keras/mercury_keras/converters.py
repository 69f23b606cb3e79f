"""Ways to and from torch tensors, and to batches as Keras takes them.

torch is imported when a tensor is asked for, Keras when batches are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercury_core.data import DataWrapper
from mercury_core.errors import ConversionError, DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa

    Array = np.ndarray[Any, Any]


# --- torch ---


def to_torch(wrapper: DataWrapper, *, dtype: str | None = None, device: str | None = None) -> Any:
    """Convert to a torch tensor.

    Args:
        wrapper: Columns of numbers or booleans, in any format.
        dtype: The name of torch's type: ``float32``, ``int64``, ``bfloat16``, … None for what the columns have in
            common, as `mercury_core.builtin.converters.to_numpy` finds it.
        device: Where the tensor lies: ``cpu``, ``cuda``, ``cuda:1``, ``mps``. None for the main memory.

    Returns:
        A tensor of rows × columns, with NaN for nulls. It shares the memory of a NumPy array that can be written to and
        whose type is the one that was asked for; anything else, what is read-only too, is copied once, since whoever
        has a tensor may write to it.

    Raises:
        ConversionError: A column that is no number, or that the type would change. Names the column.
        DataError: torch has no such type.

    Examples:
        >>> import numpy as np
        >>> array = np.array([[1.5, 2.5], [3.5, 4.5]], dtype="float32")
        >>> tensor = to_torch(DataWrapper(array))
        >>> array[0, 0] = 7
        >>> tensor
        tensor([[7.0000, 2.5000],
                [3.5000, 4.5000]])
    """
    import torch

    kind = None if dtype is None else _torch_type(dtype)
    if wrapper.format == "torch":
        tensor = wrapper.underlying
        tensor = tensor[:, None] if tensor.ndim == 1 else tensor
    else:
        tensor = torch.from_numpy(_own_array(wrapper, dtype))
    return tensor.to(device=device, dtype=kind)


def from_torch(data: Any, names: Sequence[str] | None) -> pa.Table:
    """A tensor as an Arrow table.

    Args:
        data: A dense tensor of numbers or booleans, of one dimension (one column) or two (rows × columns), on any
            device; without its gradient.
        names: Those of the columns; None for ``x0``, ``x1``, …

    Returns:
        A table that shares the memory of a tensor on the CPU whose columns lie in one piece each; NaN is null.

    Raises:
        DataError: A tensor of other dimensions.
        ConversionError: A type that Arrow does not have.

    Examples:
        >>> import torch
        >>> from_torch(torch.tensor([[1.0, 2.0], [3.0, float("nan")]]), ["a", "b"]).to_pydict()
        {'a': [1.0, 3.0], 'b': [2.0, None]}
    """
    import torch

    if data.ndim not in (1, 2):
        raise DataError(
            f"A torch tensor of {data.ndim} dimensions, of shape {tuple(data.shape)}, is no table: expected rows × "
            f"columns, or one column."
        )
    tensor = data.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()  # which holds every bfloat16; NumPy and Arrow have none
    try:
        array = tensor.numpy(force=True)
    except (TypeError, RuntimeError) as error:
        first = names[0] if names else "x0"
        why = f"NumPy has no array like a tensor of {tensor.dtype} in the layout {tensor.layout}"
        raise ConversionError(first, "torch", "Arrow", why, "Give a dense tensor of numbers.") from error
    table: pa.Table = DataWrapper(array, names).to("arrow").underlying
    return table


def _torch_type(dtype: str) -> Any:
    import torch

    kinds = {name: kind for name, kind in vars(torch).items() if isinstance(kind, torch.dtype)}
    name = dtype.removeprefix("torch.")
    if name not in kinds:
        raise DataError(f"torch has no type {dtype!r}: expected one as 'float32'.{did_you_mean(name, kinds)}")
    return kinds[name]


def _own_array(wrapper: DataWrapper, dtype: str | None) -> Array:
    """Rows × columns of numbers, that torch can share and write to."""
    import numpy as np

    _check_numbers(wrapper, "torch")
    if isinstance(wrapper.underlying, np.ma.MaskedArray):
        wrapper = wrapper.to("arrow")  # torch would show what is masked
    array: Array = wrapper.to("numpy", **_numpy_type(dtype)).underlying
    array = np.require(array.astype(array.dtype.newbyteorder("="), copy=False), requirements="W")
    return array.copy() if min(array.strides, default=0) < 0 else array


def _numpy_type(dtype: str | None) -> dict[str, str]:
    """The option `dtype` of ``to.numpy``, where NumPy has that type: its conversion refuses what would change."""
    import numpy as np

    name = None if dtype is None else dtype.removeprefix("torch.")
    return {"dtype": name} if name is not None and hasattr(np, name) and np.dtype(name).kind in "biuf" else {}


def _check_numbers(wrapper: DataWrapper, target: str) -> None:
    import pyarrow as pa

    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
    for field in wrapper.schema:
        if not any(check(field.type) for check in checks):
            todo = "Encode it as numbers first, as sklearn.preprocess does, or leave it out."
            raise ConversionError(field.name, wrapper.format, target, f"it is {field.type}, and no number", todo)


# --- batches ---


def to_keras(
    wrapper: DataWrapper,
    *,
    batch_size: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    targets: Any = None,
    sample_weight: Any = None,
) -> Any:
    """Convert to a data set of batches, a `keras.utils.PyDataset`: what ``model.fit`` and ``model.predict`` take.

    Args:
        wrapper: Features in any format: columns of numbers, of images (see ``keras.images``), or both.
        batch_size: How many rows a batch has; the last may have fewer. None for that of the reader of the images, else
            32.
        shuffle: Draw the rows in another order in each epoch.
        seed: What that order follows from, together with the number of the epoch.
        targets: Numbers of the same rows, as the loss takes them: a list, an array, or what `DataWrapper` takes. Then
            each batch is inputs and targets.
        sample_weight: A weight a row. Needs `targets`.

    Returns:
        Batches of float32: a matrix of all columns of numbers, an array of images (rows, height, width, channels), or a
        dict of them by input where there are several. Of a NumPy array of float32 that is not shuffled each batch is a
        view.

    Raises:
        FitError: A column of text, or of another type that is no number.
        DataError: Targets or weights of another number of rows; weights without targets.

    Examples:
        >>> import numpy as np
        >>> array = np.zeros((10, 2), dtype="float32")
        >>> batches = to_keras(DataWrapper(array), batch_size=4)
        >>> len(batches), np.shares_memory(batches[2][0], array)
        (3, True)
    """
    from mercury_keras.batches import batches
    from mercury_keras.images.spec import batch_size_of
    from mercury_keras.inputs import input_specs

    if targets is None and sample_weight is not None:
        raise DataError("Batches with weights and without targets have no use: give targets= as well.")
    weight = _beside(wrapper, sample_weight, "sample_weight")
    return batches(
        wrapper,
        input_specs(wrapper),
        targets=_beside(wrapper, targets, "targets"),
        sample_weight=None if weight is None else weight.ravel(),
        batch_size=(batch_size_of(wrapper) or 32) if batch_size is None else batch_size,
        shuffle=shuffle,
        seed=seed,
    )


def from_keras(data: Any, names: Sequence[str] | None) -> pa.Table:  # noqa: ARG001
    """The features of batches that `to_keras` made, as an Arrow table.

    Args:
        data: The batches.
        names: Names that the core gives the columns afterwards.

    Returns:
        The table that they were made of; images are not decoded.

    Raises:
        DataError: Batches of another maker, which have no columns.
    """
    features = getattr(data, "features", None)
    if not isinstance(features, DataWrapper):
        raise DataError(
            f"A {type(data).__module__}.{type(data).__qualname__} of Keras has no columns: expected batches that "
            f'wrapper.to("keras") made.'
        )
    table: pa.Table = features.to("arrow").underlying
    return table


def _beside(wrapper: DataWrapper, data: Any, name: str) -> Array | None:
    """Numbers of the same rows: rows × columns; None where there is no such data."""
    if data is None:
        return None
    if isinstance(data, list | tuple):
        import numpy as np

        data = np.asarray(data)
    other = data if isinstance(data, DataWrapper) else DataWrapper(data)
    if other.num_rows != wrapper.num_rows:
        raise DataError(f"There are {wrapper.num_rows} rows of features and {other.num_rows} of {name}.")
    _check_numbers(other, f"{name} of batches")
    array: Array = other.to("numpy").underlying
    return array
