"""The bundle as an object: a model, the transforms before it, and what it takes."""

from __future__ import annotations

import sys
from copy import copy
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from mercury_core.bundle.fields import NUMBERS, fields_of, with_shapes
from mercury_core.bundle.signature import Signature
from mercury_core.contracts import Shaped, ValuesPredictor
from mercury_core.errors import PredictError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from mercury_core.bundle.golden import Golden
    from mercury_core.bundle.manifest import Manifest
    from mercury_core.bundle.transforms import AppliedTransform
    from mercury_core.contracts import Model
    from mercury_core.data import DataBunch, DataSet, DataWrapper, Predictions
    from mercury_core.storage import Stores


class Bundle:
    """A fitted model that takes raw rows, since it brings the very transforms of its training.

    It is itself a model: wherever one is taken, so is a bundle. Data that went through some or all of its transforms
    already (the training bunch, say) goes through the missing ones only.

    Attributes:
        model: The model behind the transforms.
        transforms: In the order in which they are applied.
        signature: Raw inputs, targets, index, classes.
        metrics: What was measured of it, by data set and metric; empty where nothing was.
        run: The id of the run that made it, or None.
        license: Under which it may be used, as an SPDX expression or in words; empty where nobody said.
        description: What it is for, in words; empty where nobody said.
        digest: The SHA-256 of its ``mercury.json``, which holds the hashes of all its files; None of one that was not
            loaded.
    """

    def __init__(
        self,
        model: Model,
        transforms: Sequence[AppliedTransform] = (),
        signature: Signature | None = None,
        *,
        metrics: Mapping[str, Any] | None = None,
        run: str | None = None,
        license: str = "",  # noqa: A002
        description: str = "",
        golden: Golden | None = None,
        sample: pa.Table | None = None,
        digest: str | None = None,
    ) -> None:
        """Put together what `of` and `load` find.

        Args:
            model: The model behind the transforms.
            transforms: In the order in which they are applied.
            signature: Raw inputs, targets, index, classes.
            metrics: What was measured of it.
            run: The id of the run that made it.
            license: Under which it may be used.
            description: What it is for.
            golden: Rows and their predictions.
            sample: In place of `golden`, raw rows that are still to be predicted.
            digest: Of the manifest that it was loaded by.
        """
        self.model = model
        self.transforms = tuple(transforms)
        self.signature = signature or Signature()
        self.metrics = dict(metrics or {})
        self.run = run
        self.license = license
        self.description = description
        self.digest = digest
        # Shared with copies that differ in what is recorded: one of them predicts, for all.
        self._rows: dict[str, Any] = {"golden": golden, "sample": sample}

    @classmethod
    def of(cls, model: Model, bunch: DataBunch) -> Bundle:
        """The bundle of a model that was just fitted on ``bunch["train"]``."""
        from mercury_core.bundle.golden import chosen

        train = bunch["train"]
        transforms = train.applied
        inputs = transforms[0].inputs if transforms else fields_of(train.features)
        signature = Signature(
            inputs=with_shapes(inputs, model.input_shapes) if isinstance(model, Shaped) else inputs,
            targets=fields_of(train.targets) if "targets" in train else (),
            index=tuple(train.index.field_names) if "index" in train else (),
            classes=getattr(model, "classes", None),
        )
        return cls(model, transforms, signature, sample=transforms[0].sample if transforms else chosen(train.features))

    @property
    def underlying(self) -> Any:
        """The technology's own object."""
        return self.model.underlying

    @property
    def golden(self) -> Golden | None:
        """Some raw rows, and what the model predicts of them: those of the save, of a bundle that was loaded.

        None of a model whose training data are not known, or that could not predict them (which was warned of).
        """
        sample = self._rows.pop("sample", None)
        if sample is not None:
            from mercury_core.bundle.golden import made

            self._rows["golden"] = made(self, sample)
        golden: Golden | None = self._rows["golden"]
        return golden

    def predict(self, data: DataSet | Any, *, scores: bool = True) -> Predictions:
        """Predict rows.

        Args:
            data: A data set; or a table of any kind that `DataWrapper` takes, which holds the feature columns.
            scores: Whether scores are wanted; a model that can leave them out does so without it, which is faster.

        Returns:
            One prediction a row, in the order of the rows.

        Raises:
            MissingColumnsError: Feature columns are missing.
            SignatureError: A column that is not what the model was trained on: its type, a category, a null.
            PredictError: The data went through transforms that are not the model's.
        """
        from mercury_core.data import DataSet, DataWrapper

        if not isinstance(data, DataSet):
            data = DataSet({"features": data if isinstance(data, DataWrapper) else DataWrapper(data)})
        done = len(data.applied)
        if data.applied != self.transforms[:done]:
            raise PredictError(
                repr(self), "the data went through transforms that are not the model's", "Give it the raw rows."
            )
        if not done and self.signature.inputs and not self._is_as_trained(data.features):
            data = self.signature.fit_rows(data)
        for transform in self.transforms[done:]:
            data = transform.apply(data)
        if not scores and _leaves_scores_out(type(self.model)):
            model: Any = self.model
            predictions: Predictions = model.predict_values(data)
            return predictions
        return self.model.predict(data)

    def _is_as_trained(self, features: DataWrapper) -> bool:
        """Whether rows are a matrix of the very columns and the type of training, as a server makes of a request."""
        return (
            self._matrix_type is not None
            and features.format == "numpy"
            and features.underlying.dtype == self._matrix_type
            and features.field_names == self._names
        )

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.signature.input_names)

    @cached_property
    def _matrix_type(self) -> Any:
        """The NumPy type that the numbers of every input have; None where there is no such type."""
        types = {(one.type, one.shape) for one in self.signature.inputs}
        name, shape = types.pop() if len(types) == 1 else ("", None)
        return NUMBERS.get(name) if shape is None else None

    def save(self, path: str | Path, *, format: str, overwrite: str = "error", **params: Any) -> Path:  # noqa: A002
        """Write the bundle as a directory: whole, or not at all.

        Args:
            path: The directory to make.
            format: The key of a model format, as ``sklearn.skops``.
            overwrite: What to do where something is there: ``error``, ``skip`` or ``replace``.
            **params: The format's own parameters.

        Returns:
            `path`.

        Raises:
            ObjectExistsError: Something is there, and `overwrite` is ``error``.
            StoreAccessError: Something that is no bundle is there, and `overwrite` is ``replace``; or the disk refuses.
            StoreAccessError: No permission, no space.
            BundleError: A transform that cannot be kept.
        """
        from mercury_core.bundle.directory import save

        return save(self, path, format=format, overwrite=overwrite, params=params)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        trusted: Collection[str] = (),
        trust: bool = False,
        stores: Mapping[str, Mapping[str, Any]] | Stores | None = None,
    ) -> Bundle:
        """Read a bundle: its files are proven first, then loaded, and no code of theirs is run.

        Args:
            path: The directory; or a URI of any store, of which a copy is kept in the user's cache directory.
            trusted: Types, by full name, to trust beyond the lists of the plugins.
            trust: Whether formats that need pickle may be loaded, which run whatever code the files bring.
            stores: Parameters of stores, by scheme or beginning of URIs; see `mercury_core.storage.Stores`.

        Raises:
            ObjectNotFoundError: There is none.
            BundleFormatError: It is no bundle.
            CorruptBundleError: It was altered.
            UntrustedTypeError: It holds types that are in no list.
            UntrustedPickleError: It needs pickle, and `trust` is False.
            StoreAccessError: The store cannot be reached, or it refuses.
        """
        from mercury_core.bundle.directory import load

        return load(path, trusted=trusted, trust=trust, stores=stores)

    @staticmethod
    def inspect(path: str | Path, *, stores: Mapping[str, Mapping[str, Any]] | Stores | None = None) -> Manifest:
        """Read what a bundle says of itself; of one in a store, nothing else is fetched. Its files are not proven.

        Args:
            path: The directory, or a URI of any store.
            stores: As for `load`.

        Raises:
            ObjectNotFoundError: There is none.
            BundleFormatError: It is no bundle.
            CorruptBundleError: What it says cannot be true.
            StoreAccessError: The store cannot be reached, or it refuses.
        """
        from mercury_core.bundle.directory import inspect

        return inspect(path, stores=stores)

    def recording(
        self,
        metrics: Mapping[str, Any] | None = None,
        run: str | None = None,
        license: str | None = None,  # noqa: A002
        description: str | None = None,
    ) -> Bundle:
        """The same bundle with more that is to be kept with it; None keeps what is there."""
        same = copy(self)
        same.metrics = self.metrics if metrics is None else dict(metrics)
        same.run = run or self.run
        same.license = self.license if license is None else license
        same.description = self.description if description is None else description
        return same

    def packages(self) -> dict[str, str]:
        """Versions of what the model was made with, by module name."""
        from mercury_core import __version__

        makers = {type(self.model).__module__, type(self.underlying).__module__}
        makers |= {type(step.work).__module__ for step in self.transforms}
        modules = {name.partition(".")[0] for name in makers} | {"numpy", "pyarrow"}
        found = {name: getattr(sys.modules.get(name), "__version__", None) for name in modules}
        versions = {name: str(version) for name, version in found.items() if isinstance(version, str)}
        python = ".".join(map(str, sys.version_info[:3]))
        return dict(sorted({**versions, "mercury_core": __version__, "python": python}.items()))

    def __repr__(self) -> str:
        steps = [step.use or "a function" for step in self.transforms]
        return f"Bundle({' -> '.join([*steps, type(self.underlying).__name__])})"


@lru_cache(maxsize=64)
def _leaves_scores_out(kind: type) -> bool:
    return issubclass(kind, ValuesPredictor)
