"""The bundle as an object: a model, the transforms before it, and what it takes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mercury_core.bundle.signature import Signature, fields_of
from mercury_core.errors import PredictError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from mercury_core.bundle.transforms import AppliedTransform
    from mercury_core.contracts import Model
    from mercury_core.data import DataBunch, DataSet, Predictions
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
    """

    def __init__(
        self,
        model: Model,
        transforms: Sequence[AppliedTransform] = (),
        signature: Signature | None = None,
        *,
        metrics: Mapping[str, Any] | None = None,
        run: str | None = None,
    ) -> None:
        self.model = model
        self.transforms = tuple(transforms)
        self.signature = signature or Signature()
        self.metrics = dict(metrics or {})
        self.run = run

    @classmethod
    def of(cls, model: Model, bunch: DataBunch) -> Bundle:
        """The bundle of a model that was just fitted on ``bunch["train"]``."""
        train = bunch["train"]
        transforms = train.applied
        signature = Signature(
            inputs=transforms[0].inputs if transforms else fields_of(train.features),
            targets=fields_of(train.targets) if "targets" in train else (),
            index=tuple(train.index.field_names) if "index" in train else (),
            classes=getattr(model, "classes", None),
        )
        return cls(model, transforms, signature)

    @property
    def underlying(self) -> Any:
        """The technology's own object."""
        return self.model.underlying

    def predict(self, data: DataSet | Any) -> Predictions:
        """Predict rows.

        Args:
            data: A data set; or a table of any kind that `DataWrapper` takes, which holds the feature columns.

        Returns:
            One prediction a row, in the order of the rows.

        Raises:
            MissingColumnsError: Feature columns are missing.
            ConversionError: A column of a type that the model was not trained on.
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
        if not done and self.signature.inputs:
            data = self.signature.fit_rows(data)
        for transform in self.transforms[done:]:
            data = transform.apply(data)
        return self.model.predict(data)

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
        stores: Mapping[str, Mapping[str, Any]] | Stores | None = None,
    ) -> Bundle:
        """Read a bundle: its files are proven first, then loaded, and no code of theirs is run.

        Args:
            path: The directory; or a URI of any store, of which a copy is kept in the user's cache directory.
            trusted: Types, by full name, to trust beyond the lists of the plugins.
            stores: Parameters of stores, by scheme or beginning of URIs; see `mercury_core.storage.Stores`.

        Raises:
            ObjectNotFoundError: There is none.
            BundleFormatError: It is no bundle.
            CorruptBundleError: It was altered.
            UntrustedTypeError: It holds types that are in no list.
            StoreAccessError: The store cannot be reached, or it refuses.
        """
        from mercury_core.bundle.directory import load

        return load(path, trusted=trusted, stores=stores)

    def recording(self, metrics: Mapping[str, Any] | None, run: str | None) -> Bundle:
        """The same bundle with what was measured of it, and the id of the run; None keeps what is there."""
        metrics = self.metrics if metrics is None else metrics
        return Bundle(self.model, self.transforms, self.signature, metrics=metrics, run=run or self.run)

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
