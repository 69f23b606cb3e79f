"""The contracts: what a provider of each verb must do. A plugin author reads this file first;
whoever writes a store, `mercury_core.contracts.stores` as well.

Every contract is a Protocol: nothing has to be inherited. What is required is small; optional abilities are Protocols
of their own, and the core asks for them with `isinstance`. Parameters of a provider are plain keyword arguments with
type hints: the core checks a config against them before any work, so ``max_rows: int = 100`` is all that it takes to
have ``max_rows: "many"`` refused with the line and the column of the file.

=========  ==================  ================================================================================
verb       contract            in short
=========  ==================  ================================================================================
read       `Reader`            ``reader(source, **params) -> table or DataSet``
transform  `Transformer`       ``Transformer(**params).fit(bunch) -> Fitted``; or a function on a DataSet or a DataBunch
fit        `Fitter`            ``fitter(bunch, **params) -> Model``
evaluate   `Metric`            ``metric(targets, predictions, **params) -> number, mapping or figure``
save       `ModelFormat`       ``save(model, path)``, ``load(path) -> Model``; `ArtifactFormat` for tables and dicts
copy       `Store`             ``stat list open put get delete`` on URIs of one scheme; abilities in `contracts.stores`
serve      `Server`            ``server(bundle, **params) -> Service``
execute    `Engine`            ``run(calls) -> results``
=========  ==================  ================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from mercury_core.contracts.stores import (
    ChecksumStore as ChecksumStore,
    ConcurrentStore as ConcurrentStore,
    ConditionalStore as ConditionalStore,
    CopyingStore as CopyingStore,
    Crc as Crc,
    DirectoryStore as DirectoryStore,
    LevelStore as LevelStore,
    ManyCopyingStore as ManyCopyingStore,
    ManyDeletingStore as ManyDeletingStore,
    ManyPuttingStore as ManyPuttingStore,
    ManyReadingStore as ManyReadingStore,
    MultipartStore as MultipartStore,
    ObjectInfo as ObjectInfo,
    Part as Part,
    ReachableStore as ReachableStore,
    Rereadable as Rereadable,
    Store as Store,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pyarrow as pa

    from mercury_core.bundle import Bundle
    from mercury_core.data import DataBunch, DataSet, DataWrapper, Predictions

T = TypeVar("T")


# --- read ---


class Reader(Protocol):
    """Reads a source. A parameter `columns` (names, or None for all), where a reader has it, is filled in by the core
    with the columns that the roles name, so that nothing else is read.

    A parameter `store`, where a reader has it, is filled in with the `Store` of a source that lies in one, for reading
    ranges of it; of any other source it keeps its default, None. A reader without it is given a verified local copy.
    """

    def __call__(self, source: str, **params: Any) -> Any:
        """Read.

        Args:
            source: A path or a URI.
            **params: The reader's own parameters.

        Returns:
            A table (anything with ``__arrow_c_stream__``, a NumPy array, or a `DataWrapper`), which the core turns into
            a `DataSet` by its roles; or a `DataSet`.

        Raises:
            ReadError: The source is not what it is said to be.
            ObjectNotFoundError: Nothing is there.
        """
        ...


@runtime_checkable
class SchemaReader(Protocol):
    """A reader that can tell the columns of a source without reading it whole: the check before any work uses it."""

    def schema(self, source: str, **params: Any) -> pa.Schema:
        """The names and types of the columns, as far as they can be known cheaply; the same arguments as the reader."""
        ...


@runtime_checkable
class BatchedReader(Protocol):
    """A reader that can give a source piece by piece, in bounded memory: predictions of large sources use it.

    Laid one below the other, the tables are what the reader gives of the whole source: the same rows in the same order,
    and the same type of a column in each of them.
    """

    def batches(self, source: str, *, rows: int, skip: int = 0, **params: Any) -> Iterator[pa.Table]:
        """Read.

        Args:
            source: As for reading.
            rows: How many a table holds; the last one may hold fewer.
            skip: Rows to leave out at the start, as cheaply as the format allows.
            **params: As for reading.

        Yields:
            The tables; of a source without rows, one that holds none.

        Raises:
            The same as for reading.
        """
        ...


@runtime_checkable
class NamedSources(Protocol):
    """A reader whose sources are names that it lists, and not paths: they are not resolved against any directory."""

    def sources(self) -> Sequence[str]:
        """Every name that can be read."""
        ...


# --- transform ---


@runtime_checkable
class Fitted(Protocol):
    """A transform that has learnt what it needs."""

    def apply(self, data_set: DataSet) -> DataSet:
        """Transform any data set of the kind it was fitted on; changes nothing in place."""
        ...

    def save(self, path: Path) -> None:
        """Write itself into the empty directory `path`; the transformer's `load` reads it."""
        ...


class Transformer(Protocol):
    """What a provider of the verb transform makes when it is called with its parameters (so usually: a class).

    Instead, a provider may be a plain function: one whose first parameter is annotated `DataBunch` works on the
    whole bunch, in training only (for splitting); any other works on one `DataSet`, and is kept in the bundle
    as its key and parameters.
    """

    def fit(self, bunch: DataBunch) -> Fitted:
        """Learn from ``bunch["train"]`` only."""
        ...

    @staticmethod
    def load(path: Path, *, trusted: Collection[str] = ()) -> Fitted:
        """Read what `Fitted.save` wrote.

        It runs no code of the file and trusts no type beyond the plugin's list and `trusted`.
        """
        ...


# --- fit ---


@runtime_checkable
class Model(Protocol):
    """A fitted model. It works on data as it was fitted: transforms are the bundle's business."""

    @property
    def underlying(self) -> Any:
        """The technology's own object."""
        ...

    def predict(self, data_set: DataSet) -> Predictions:
        """Predict every row of ``data_set.features``, in order."""
        ...


@runtime_checkable
class ValuesPredictor(Protocol):
    """A model for which scores are work of their own, and which can leave them out."""

    def predict_values(self, data_set: DataSet) -> Predictions:
        """As `Model.predict`, without scores."""
        ...


class Fitter(Protocol):
    """Fits a model."""

    def __call__(self, bunch: DataBunch, **params: Any) -> Model:
        """Fit on ``bunch["train"]``; ``bunch["valid"]`` may be used for early stopping, ``test`` never is.

        Raises:
            FitError: The data cannot be fitted.
            ArgumentsError: A parameter that the estimator does not have.
        """
        ...


@runtime_checkable
class Shaped(Protocol):
    """A model that takes arrays in some columns, as images: the signature says so, and a server takes them.

    Such a column may hold file names, the content of such files (binary), or arrays (fixed-shape tensors).
    """

    @property
    def input_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """By column, the shape of what one row holds, as (height, width, channels)."""
        ...


@runtime_checkable
class Sourced(Protocol):
    """A model whose rows no table file holds, as those of a directory of images: predictions need not be told how."""

    @property
    def reader(self) -> str | None:
        """The key of the reader of such a source, which has no ending that would tell one; None where there is none."""
        ...


@runtime_checkable
class Trained(Protocol):
    """A model that tells how its training went: the record of the run keeps it."""

    @property
    def training(self) -> Mapping[str, Any]:
        """Plain values by name, as ``{"epochs": 2, "history": {"loss": [0.7, 0.4]}}``; empty where nothing is known."""
        ...


@runtime_checkable
class ParamsChecker(Protocol):
    """A provider (of any verb) that knows more of its parameters than their types say.

    The core calls it in the check before any work, after names and types were found right.
    """

    def check_params(self, params: Mapping[str, Any]) -> Iterable[Fault]:
        """What is wrong with `params`, as far as it can be told without data."""
        ...


@runtime_checkable
class ColumnsNamer(Protocol):
    """A transformer whose parameters name columns: the check before any work looks whether the data has them."""

    def columns_in(self, params: Mapping[str, Any]) -> Iterable[tuple[tuple[str | int, ...], str]]:
        """Every column that sound `params` name, each behind its place in them, as in `Fault.path`."""
        ...


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with parameters.

    Attributes:
        path: Where, from the parameters inwards: ``("params", "max_itr")``.
        message: One sentence: what is wrong, what was expected, the nearest right thing.
    """

    path: tuple[str | int, ...]
    message: str


# --- evaluate ---


class Metric(Protocol):
    """Measures predictions."""

    def __call__(self, targets: DataWrapper, predictions: Predictions, **params: Any) -> Any:
        """Measure.

        A metric that has a parameter `sample_weight` is given the column of that role, where there is one.

        Returns:
            A number, a mapping from label to number, or a figure.

        Raises:
            MetricError: Predictions of another kind than the metric needs.
        """
        ...


# --- save ---


class ModelFormat(Protocol):
    """A way to write models to files and to read them again. An instance of it is the provider.

    Three attributes are optional:

    - ``tolerance: float``: by how much predictions may move, relative to their size where that is above one, when a
      model that was written is read again, here or elsewhere. Without it by nothing: they are the same to the last bit.
    - ``exports: bool``: whether what is read again is another program than the model that was saved, as of an export to
      ONNX. Then a bundle is only there once what was written was loaded, and predicted the golden rows alike.
    - ``needs_pickle: str``: what loading runs, as ``"whatever the file brings, through joblib"``, of a format that
      cannot do without pickle; `load` is then only called where the one who loads said ``trust=True``. A `Transformer`
      may have it as well.
    """

    def save(self, model: Model, path: Path, **params: Any) -> Path:
        """Write `model` at `path` (a file, or a directory that the format makes) and give back the path written."""
        ...

    def load(self, path: Path, *, trusted: Collection[str] = ()) -> Model:
        """Read it again, running no code that the file brings.

        Args:
            path: What `save` gave back.
            trusted: Types, by full name, that the one who loads trusts beyond the plugin's own list.

        Raises:
            UntrustedTypeError: The file holds types that are in neither.
        """
        ...


class ArtifactFormat(Protocol):
    """A way to write tables and dicts. An instance of it is the provider; it stands under the verb save as well."""

    def write(self, artifact: Any, path: Path, **params: Any) -> Path:
        """Write `artifact` at `path` and give back the path."""
        ...

    def read(self, path: Path) -> Any:
        """Read it again."""
        ...


@runtime_checkable
class PiecesFormat(Protocol):
    """An `ArtifactFormat` that can write a table piece by piece: predictions of large sources use it."""

    def writing(self, path: Path, **params: Any) -> AbstractContextManager[Callable[[Any], None]]:
        """Begin a file, which appears whole when the block ends, and not at all where that raises.

        Yields:
            What writes a piece, below those before it; all have the same columns, of the same types.
        """
        ...


# --- serve, execute ---


class Service(Protocol):
    """A model that answers."""

    @property
    def url(self) -> str:
        """Where it answers."""
        ...

    def wait(self) -> None:
        """Return when it has stopped."""
        ...

    def stop(self) -> None:
        """Finish what is in flight, then stop."""
        ...


class Server(Protocol):
    """Serves a bundle."""

    def __call__(self, bundle: Bundle, **params: Any) -> Service:
        """Start, and give back a service that is ready."""
        ...


class Engine(Protocol):
    """Somewhere that independent steps can run. The provider is called with the engine's parameters."""

    def run(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Run all calls and give back their results in the same order; the first error is raised as it was."""
        ...
