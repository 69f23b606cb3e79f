"""The reader `keras.images`: images by class folder, or named by a table, without decoding them."""

from __future__ import annotations

import os
import warnings
from pathlib import Path  # noqa: TC003  (parameters are checked against these hints)
from typing import TYPE_CHECKING, Any, Literal

from mercury_core.contracts import Fault, Store
from mercury_core.data import DataSet, DataWrapper
from mercury_core.errors import ArgumentsError, ReadError
from mercury_keras.images import files, labels as tables
from mercury_keras.images.ahead import thread_count
from mercury_keras.images.decode import decode
from mercury_keras.images.listing import FILE, IMAGE, LABEL, Listing, of_folders, of_table, texts
from mercury_keras.images.spec import with_spec
from mercury_keras.specs import ImageSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

_KEY = "keras.images"
_OF_A_TABLE = ("label_columns", "label_separator", "features")
_MOST_NAMED = 10
# A warning is of whoever reads: two calls above what warns.
_OF_THE_CALLER = 3


class ImagesReader:
    """Reads the names of images and their labels; the images themselves are decoded batch by batch, when they are used.

    ``source`` is a directory with one folder a class, or of images alone: then `labels` names a table that stands
    beside it, or there are no labels, and the images can be predicted.

    Examples:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        ...         Path(folder, name).parent.mkdir(exist_ok=True)
        ...         Image.new("RGB", (8, 8)).save(Path(folder, name))
        ...     data_set = ImagesReader()(folder, image_size=(32, 32))
        >>> data_set["index"].underlying["file"].to_pylist()
        ['cat/1.png', 'cat/2.png', 'dog/1.png']
        >>> data_set.targets.underlying["label"].to_pylist()
        ['cat', 'cat', 'dog']
    """

    def __call__(
        self,
        source: str,
        *,
        labels: Path | None = None,
        file_column: str = FILE,
        label_columns: list[str] | None = None,
        label_separator: str | None = None,
        features: list[str] | None = None,
        image_size: tuple[int, int] = (256, 256),
        color_mode: Literal["grayscale", "rgb", "rgba"] = "rgb",
        interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear",
        fit: Literal["stretch", "crop", "pad"] = "stretch",
        antialias: bool = True,
        batch_size: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
        validation_split: float | None = None,
        subset: Literal["training", "validation"] | None = None,
        classes: list[Any] | None = None,
        extensions: list[str] | None = None,
        invalid: Literal["error", "skip"] = "error",
        store: Store | None = None,
    ) -> DataSet:
        """Read.

        Args:
            source: A directory, or a URI of one, which is copied for as long as the process lives.
            labels: A table of file names, relative to `source`, and labels: csv, parquet, json or arrow.
            file_column: Its column of file names.
            label_columns: Its columns that are targets; by default all others. One of texts or numbers is a single
                label; several, or one of lists, are labels of which a row has some.
            label_separator: What stands between labels where one text holds several, as ``;``.
            features: Its columns that are features beside the image.
            image_size: Height and width that images are brought to, in pixels.
            color_mode: Channels that images are brought to: 1, 3 or 4.
            interpolation: How they are resized.
            fit: What is done to another shape: ``stretch`` it, ``crop`` it to the centre, ``pad`` it with black.
            antialias: Whether what is made smaller is smoothed; ``false`` gives the pixels of Keras's own
                ``image_dataset_from_directory``.
            batch_size: How many make a batch, where ``keras.fit`` does not say; None for its default.
            shuffle: Whether the rows are in an order of chance, which `seed` tells. Training shuffles by itself.
            seed: Of `shuffle` and of `validation_split`.
            validation_split: Between 0 and 1, the part of the rows that the other `subset` has.
            subset: With it: which part to read.
            classes: Of folders, those to read; of a table, the labels there may be, of several a row in this order.
            extensions: Endings of image files; by default .bmp, .gif, .jpeg, .jpg, .png, .tif, .tiff and .webp.
            invalid: What a damaged or missing image is: an error (a missing one here, a damaged one where its batch is
                made), or left out, counted and named in a warning. For that, each image is decoded once here.
            store: The store of a source elsewhere.

        Returns:
            ``index`` (file names, relative to `source`), ``features`` (``image``, then those of the table) and
            ``targets`` (``label``, or those of the table), row by row the same image. Folders are read in the order of
            their names, a table in its own.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ReadError: No images; a class folder without any; a label or a file name that is missing.
            MissingColumnsError: The table lacks a column.
            ArgumentsError: Parameters that contradict each other.
        """
        params = {name: value for name, value in locals().items() if name not in ("self", "source", "store")}
        self._require(params)
        root = _directory(source, store)
        listing = _listing(root, source, params, store)
        rows = _part(listing.table.num_rows, params, source)
        names = listing.table.column(listing.file).to_pylist()
        paths = {int(row): str(root / names[row]) for row in rows}
        spec = ImageSpec(image_size[0], image_size[1], color_mode, interpolation, fit, antialias)
        bad = _damaged(paths, spec) if invalid == "skip" else _missing(paths, names, source)
        if bad:
            _tell(bad, names, len(paths), source)
        return _data_set(listing, {row: path for row, path in paths.items() if row not in bad}, spec, batch_size)

    def schema(self, source: str, *, store: Store | None = None, **params: Any) -> pa.Schema:
        """Names and types of all columns, from the names of the folders or from the table.

        Args:
            source: As for reading.
            store: As for reading.
            **params: As for reading.

        Raises:
            The same as for reading; a class folder without images is found here.
        """
        import pyarrow as pa

        self._require(params)
        if params.get("labels") is not None:
            if store is None:
                _directory(source, None)
            listing = of_table(_table(params["labels"], store), str(params["labels"]), params)
            table = listing.table
            kinds = [(name, table.schema.field(name).type) for name in (*listing.features, *listing.targets)]
            return pa.schema([(listing.file, pa.string()), (IMAGE, pa.string()), *kinds])
        labelled = True
        if store is None:
            root, endings = _directory(source, None), _endings(params.get("extensions"))
            folders = files.class_folders(root, source, params.get("classes"), endings)
            for folder in folders:
                next(files.images_of_class(root, folder, source, endings))
            labelled = bool(folders)
        return pa.schema([(name, pa.string()) for name in (FILE, IMAGE, *((LABEL,) if labelled else ()))])

    def _require(self, params: Mapping[str, Any]) -> None:
        if faults := [fault.message for fault in self.check_params(params)]:
            raise ArgumentsError("read", _KEY, faults)

    def check_params(self, params: Mapping[str, Any]) -> Iterable[Fault]:
        """Numbers out of range, and parameters that contradict each other or lack their other half."""
        for name in _OF_A_TABLE if params.get("labels") is None else ():
            if params.get(name) is not None:
                yield Fault((name,), f"'{name}' is of the table that 'labels' names, and there is none.")
        for name in ("image_size", "batch_size"):
            value = params.get(name)
            for number in value if isinstance(value, (list, tuple)) else () if value is None else (value,):
                if number < 1:
                    yield Fault((name,), f"'{name}' must be at least 1: got {number}.")
        part, subset = params.get("validation_split"), params.get("subset")
        if part is not None and not 0 < part < 1:
            yield Fault(("validation_split",), f"'validation_split' must be between 0 and 1: got {part}.")
        if (part is None) != (subset is None):
            given, lacks = ("subset", "validation_split") if part is None else ("validation_split", "subset")
            yield Fault((given,), f"'{given}' needs '{lacks}' as well.")
        if not params.get("antialias", True) and params.get("interpolation") == "lanczos":
            yield Fault(("antialias",), "'interpolation: lanczos' smooths: leave 'antialias' out, or take bilinear.")
        if params.get("seed", 0) < 0:
            yield Fault(("seed",), f"'seed' must not be negative: got {params['seed']}.")
        for name in ("classes", "extensions", "label_columns"):
            if params.get(name) == []:
                yield Fault((name,), f"'{name}' names none: name one, or leave it out.")
        twice = sorted({name for name in params.get("classes") or () if params["classes"].count(name) > 1})
        if twice:
            yield Fault(("classes",), f"'classes' has {twice[0]!r} twice.")


read_images = ImagesReader()


def _directory(source: str, store: Store | None) -> Path:
    """The local directory of a source."""
    from mercury_core.storage.uri import to_path

    if store is None:
        path = to_path(source).absolute()
    else:
        from mercury_keras.images.copies import local_copy

        path = local_copy(source, store)
    files.directory(path, source)
    return path


def _endings(extensions: Sequence[str] | None) -> tuple[str, ...]:
    if extensions is None:
        return files.EXTENSIONS
    return tuple(f".{ending.lower().lstrip('.')}" for ending in extensions)


def _listing(root: Path, source: str, params: Mapping[str, Any], store: Store | None) -> Listing:
    if params["labels"] is None:
        return of_folders(root, source, params["classes"], _endings(params["extensions"]))
    return of_table(_table(params["labels"], store), str(params["labels"]), params)


def _table(labels: str | Path, store: Store | None) -> pa.Table:
    from mercury_core.storage.uri import is_remote

    if not is_remote(labels):
        return tables.read_table(labels)
    from mercury_core.storage.standing_in import standing_in
    from mercury_core.storage.stores import Stores
    from mercury_keras.images.copies import local_copy

    path = local_copy(str(labels), store or Stores().of(labels))
    with standing_in(path, str(labels)):
        return tables.read_table(path)


def _part(count: int, params: Mapping[str, Any], source: str) -> Sequence[int]:
    """The rows to read, in their order."""
    import numpy as np

    rows = np.arange(count)
    if params["validation_split"] is not None:
        mixed = np.random.default_rng(params["seed"]).permutation(count)
        cut = count - round(count * params["validation_split"])
        if cut in (0, count):
            raise ReadError(
                source,
                f"its {count} images cannot be split: one part would be empty",
                "Give it more images, or another validation_split.",
            )
        rows = np.sort(mixed[:cut] if params["subset"] == "training" else mixed[cut:])
    if params["shuffle"]:
        # Another stream than that of the split, which would otherwise be undone by it.
        np.random.default_rng([params["seed"], 1]).shuffle(rows)
    return rows  # type: ignore[return-value]


def _missing(paths: Mapping[int, str], names: Sequence[str], source: str) -> set[int]:
    for row, path in paths.items():
        if not os.path.isfile(path):  # noqa: PTH113 -- a million times
            raise ReadError(
                source,
                f"there is no file {names[row]!r} (row {row})",
                "Put it there, take it out of the table, or read with invalid: skip; a link may lead nowhere.",
            )
    return set()


def _damaged(paths: Mapping[int, str], spec: ImageSpec) -> set[int]:
    """The rows whose image cannot be decoded."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    def is_sound(path: str) -> bool:
        try:
            decode(path, spec, np.empty(spec.shape, np.uint8))
        except ReadError:
            return False
        return True

    with ThreadPoolExecutor(thread_count()) as pool:
        sound = pool.map(is_sound, paths.values())
        return {row for row, good in zip(paths, sound, strict=True) if not good}


def _tell(bad: set[int], names: Sequence[str], count: int, source: str) -> None:
    """Name the images that are left out.

    Raises:
        ReadError: Those are all.
    """
    if len(bad) == count:
        raise ReadError(source, f"none of its {count} images can be decoded", "Read with invalid: error to see why.")
    shown = ", ".join(names[row] for row in sorted(bad)[:_MOST_NAMED]) + (" …" if len(bad) > _MOST_NAMED else "")
    warnings.warn(
        f"{len(bad)} of {count} images of {source} are damaged or missing, and were left out: {shown}",
        stacklevel=_OF_THE_CALLER,
    )


def _data_set(listing: Listing, paths: Mapping[int, str], spec: ImageSpec, batch_size: int | None) -> DataSet:
    import pyarrow as pa

    rows = DataWrapper(listing.table).take(list(paths))
    image = with_spec(pa.field(IMAGE, pa.string()), spec, batch_size=batch_size)
    images = pa.table([texts(list(paths.values()))], schema=pa.schema([image]))
    features = images
    for name in listing.features:
        features = features.append_column(rows.underlying.schema.field(name), rows.underlying.column(name))
    roles = {"index": rows.select([listing.file]), "features": DataWrapper(features)}
    if listing.targets:
        roles["targets"] = rows.select(listing.targets)
    return DataSet(roles)
