"""Every error that Mercury raises on purpose, and how it is worded.

::

    MercuryError                         .exit_code: 1 the job failed, 2 the input is wrong
    ├── PluginError
    │   ├── UnknownProviderError         no plugin anywhere has that key: the nearest keys
    │   │   └── UnknownReferenceError    a 'module:name' that leads nowhere
    │   ├── ProviderNotInstalledError    a known key, a missing package: the pip line
    │   ├── BrokenProviderError          installed, and fails: the cause, chained
    │   ├── ArgumentsError               the provider is fine, its arguments are not
    │   ├── AmbiguousProviderError       two distributions bring the same (verb, key)
    │   └── BrokenPluginError            a plugin set aside, where that is not allowed (strict)
    ├── DataError
    │   ├── ReadError                    a source that cannot be read as what it is said to be
    │   ├── MissingColumnsError          columns that the data lacks: the nearest ones
    │   ├── UnknownEndingError           a file whose ending does not say what it is
    │   ├── MissingNameError             a role or a data set that is not there: the nearest
    │   ├── RolesError                   roles that say nothing, or contradict one another
    │   ├── ConversionError              a column that would lose its meaning
    │   ├── SignatureError               rows that are not what the model was trained on
    │   └── SplitError                   data that cannot be split as asked
    ├── ModelError
    │   ├── FitError                     the estimator refused the data
    │   ├── PredictError                 the model refused the data
    │   └── MetricError                  a metric and predictions that do not go together
    ├── BundleError
    │   ├── BundleFormatError            not a bundle, or one of a version that is not known here
    │   ├── CorruptBundleError           a file that is missing, extra or altered
    │   ├── UnsavableModelError          a model that its format cannot write
    │   ├── UntrustedTypeError           a type that loading would have to trust
    │   └── UntrustedPickleError         a format that needs pickle, where that was not allowed
    ├── StorageError
    │   ├── ObjectNotFoundError
    │   ├── ObjectExistsError
    │   ├── StoreAccessError             permissions, a full disk, an unreachable store
    │   ├── ObjectChangedError           another version than the one that was to be read
    │   ├── UploadGoneError              an unfinished upload that is not there any more
    │   ├── UriError                     a URI or path that names nothing that can be used
    │   └── VerificationError            what arrived is not what was sent
    └── WorkflowError
        ├── WorkflowFileError            faults found by the check, all of them
        └── StepFailedError              a step failed: which, and the cause, chained

One sentence says what failed, where, what was expected and what to do. Messages never hold secrets.
"""

from __future__ import annotations

from mercury_core.spelling import did_you_mean as did_you_mean, nearest as nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class MercuryError(Exception):
    """What every error of Mercury derives from; the command exits with its `exit_code`: 2 where its input is wrong."""

    exit_code = 1


class PluginError(MercuryError):
    """A provider or a plugin cannot be used."""

    exit_code = 2


class UnknownProviderError(PluginError, LookupError):
    """No plugin that is installed or known has that key."""

    def __init__(self, verb: str, key: str, keys: Sequence[str], set_aside: Sequence[str] = ()) -> None:
        self.verb, self.key, self.nearest = verb, key, nearest(key, keys)
        hint = did_you_mean(key, keys) or (
            f" Keys of this verb: {', '.join(sorted(keys)[:12])}{' …' if len(keys) > 12 else ''}."
            if keys
            else " No plugin that is installed provides this verb."
        )
        super().__init__(
            f"No provider {key!r} for {verb!r}.{hint} `mercury-ml providers {verb}` lists them all."
            f"{f' Plugins that were set aside: {chr(32).join(set_aside)}' if set_aside else ''}"
        )


class UnknownReferenceError(UnknownProviderError):
    """A ``module:name`` that leads nowhere."""

    def __init__(self, verb: str, reference: str, why: str, hint: str = "") -> None:
        self.verb, self.key, self.nearest = verb, reference, []
        MercuryError.__init__(
            self,
            f"The reference {reference!r} for {verb!r} leads nowhere: {why}.{hint} Expected 'package.module:name', "
            f"importable from where Python runs.",
        )


class ProviderNotInstalledError(PluginError, ImportError):
    """The key is known, and the package that serves it is not installed."""

    def __init__(self, verb: str, key: str, install: str) -> None:
        self.verb, self.key, self.install = verb, key, install
        super().__init__(f"The provider {key!r} for {verb!r} is not installed: pip install {install}")


class BrokenProviderError(PluginError, ImportError):
    """The plugin is installed, and its provider cannot be imported; the cause is chained."""

    def __init__(self, verb: str, key: str, owner: str, target: str, cause: BaseException) -> None:
        self.verb, self.key, self.owner, self.target = verb, key, owner, target
        super().__init__(
            f"The provider {key!r} for {verb!r} of {owner} is installed but broken: "
            f"loading {target} raised {type(cause).__name__}: {cause}"
        )


class ArgumentsError(PluginError, TypeError):
    """The provider exists, and what it was given does not fit it.

    Attributes:
        faults: One sentence a fault, in the order of the parameters.
    """

    def __init__(self, verb: str, key: str, faults: Sequence[str]) -> None:
        self.verb, self.key, self.faults = verb, key, tuple(faults)
        super().__init__(f"Wrong arguments for the provider {key!r} of {verb!r}: {' '.join(faults)}")


class AmbiguousProviderError(PluginError, LookupError):
    """Two distributions bring the same key for the same verb; nothing is chosen silently."""

    def __init__(self, verb: str, key: str, owners: Sequence[str]) -> None:
        self.verb, self.key, self.owners = verb, key, tuple(owners)
        super().__init__(
            f"The provider {key!r} for {verb!r} is in {' and in '.join(owners)}: choose with "
            f"{' or '.join(repr(f'{key}@{owner}') for owner in owners)}, or set MERCURY_DISABLE_PLUGINS."
        )


class BrokenPluginError(PluginError, ImportError):
    """A plugin was set aside while strictness was asked for."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(f"Plugins were set aside: {' '.join(reasons)}")


class DataError(MercuryError, ValueError):
    """Data that cannot be used as asked."""


class ReadError(DataError):
    """A source that cannot be read as what it is said to be."""

    def __init__(self, source: str, why: str, todo: str = "") -> None:
        self.source = source
        super().__init__(f"Cannot read {source}: {why.rstrip('.')}.{' ' + todo if todo else ''}")


class MissingColumnsError(DataError, KeyError):
    """Columns that were named and are not there."""

    exit_code = 2
    __str__ = Exception.__str__  # A KeyError would show the repr of its message.

    def __init__(self, where: str, missing: Sequence[str], columns: Sequence[str]) -> None:
        self.where, self.missing, self.columns = where, tuple(missing), tuple(columns)
        shown = (", ".join(columns[:20]) or "none") + (" …" if len(columns) > 20 else "")
        hints = "".join(dict.fromkeys(did_you_mean(name, columns) for name in missing[:3]))
        plural = "s" if len(missing) > 1 else ""
        super().__init__(f"{where} lacks the column{plural} {', '.join(map(repr, missing))}; it has: {shown}.{hints}")


class MissingNameError(DataError, KeyError):
    """A role that a data set lacks, or a data set that a bunch lacks."""

    exit_code = 2
    __str__ = Exception.__str__

    def __init__(self, where: str, what: str, missing: str, names: Sequence[str]) -> None:
        self.where, self.missing, self.names = where, missing, tuple(names)
        has = f"it has: {', '.join(names)}" if names else "it is empty"
        super().__init__(f"{where} lacks the {what} {missing!r}; {has}.{did_you_mean(missing, names)}")


class RolesError(DataError):
    """Roles that say nothing, or contradict one another."""

    exit_code = 2


class UnknownEndingError(DataError):
    """A file to write whose ending does not say what it should be."""

    exit_code = 2

    def __init__(self, path: str, endings: Sequence[str]) -> None:
        self.path, self.endings = path, tuple(endings)
        super().__init__(
            f"Cannot tell from the ending of {path} what to write: expected {', '.join(endings[:-1])} or {endings[-1]}."
        )


class ConversionError(DataError):
    """A column whose values would lose their meaning in another format."""

    def __init__(self, column: str, source: str, target: str, why: str, todo: str = "") -> None:
        self.column, self.source, self.target = column, source, target
        super().__init__(
            f"The column {column!r} cannot go from {source} to {target}: {why.rstrip('.')}.{' ' + todo if todo else ''}"
        )


class SignatureError(DataError):
    """Rows that are not what the model was trained on."""

    exit_code = 2

    def __init__(self, column: str, expected: str, found: str, todo: str = "") -> None:
        self.column, self.expected, self.found = column, expected, found
        said = f"The column {column!r} does not fit the model: expected {expected}, found {found}."
        super().__init__(f"{said} {todo}".rstrip())


class SplitError(DataError):
    """Data that cannot be split as asked."""


class ModelError(MercuryError):
    """A model, or what was asked of it."""


class FitError(ModelError):
    """A fitter, or the estimator in it, refused the data."""

    def __init__(self, what: str, why: str, todo: str = "") -> None:
        super().__init__(f"Cannot fit {what}: {why.rstrip('.')}.{' ' + todo if todo else ''}")


class PredictError(ModelError):
    """A model refused the data that it was to predict."""

    def __init__(self, what: str, why: str, todo: str = "") -> None:
        super().__init__(f"Cannot predict with {what}: {why.rstrip('.')}.{' ' + todo if todo else ''}")


class MetricError(ModelError):
    """A metric and predictions that do not go together."""

    def __init__(self, metric: str, why: str, todo: str = "") -> None:
        self.metric = metric
        super().__init__(f"The metric {metric} cannot be computed: {why.rstrip('.')}.{' ' + todo if todo else ''}")


class BundleError(MercuryError):
    """A saved model that cannot be used."""


class BundleFormatError(BundleError):
    """Not a bundle, or one of a format version that is not known here."""

    def __init__(self, where: str, why: str) -> None:
        self.where = where
        super().__init__(f"{where} is not a bundle that can be loaded: {why.rstrip('.')}.")


class CorruptBundleError(BundleError):
    """A bundle whose files are not those that were written."""

    def __init__(self, where: str, faults: Sequence[str]) -> None:
        self.where, self.faults = where, tuple(faults)
        super().__init__(
            f"The bundle {where} was altered or damaged, and nothing of it was loaded: "
            f"{'; '.join(faults)}. Copy or save it again."
        )


class UnsavableModelError(BundleError):
    """A model that a format cannot write, or could not read again."""

    def __init__(self, what: str, why: str, todo: str = "") -> None:
        super().__init__(f"Cannot save {what}: {why.rstrip('.')}.{' ' + todo if todo else ''}")


class UntrustedTypeError(BundleError):
    """Loading would have to trust types that no list of ours names."""

    def __init__(self, where: str, types: Iterable[str]) -> None:
        self.where, self.types = where, tuple(sorted(types))
        super().__init__(
            f"{where} holds types that are not trusted, and nothing was loaded: {', '.join(self.types)}. If you know "
            f"them and trust where the file comes from, load it with trusted={list(self.types)}, or with --trust on "
            f"the command line."
        )


class UntrustedPickleError(BundleError):
    """A format that needs pickle: loading it can run any code that the file brings."""

    def __init__(self, where: str, key: str, runs: str) -> None:
        self.where, self.key, self.runs = where, key, runs
        todo = "If you trust where it comes from, load it with trust=True; on the command line, with --trust-pickle."
        super().__init__(f"{where} needs pickle, and nothing was loaded: {key!r} runs {runs.rstrip('.')}. {todo}")


class StorageError(MercuryError):
    """A store, or an object in it."""


class ObjectNotFoundError(StorageError, FileNotFoundError):
    """Nothing is there."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        super().__init__(f"Nothing is stored at {uri}: look for a slip in it, or for what was to be written there.")


class ObjectExistsError(StorageError, FileExistsError):
    """Something is there, and it was not to be replaced."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        super().__init__(f"{uri} exists already: choose another target, or overwrite='replace' or 'skip'.")


class StoreAccessError(StorageError, OSError):
    """The store, or the disk, refused."""

    def __init__(self, action: str, uri: str, why: str, todo: str = "") -> None:
        self.action, self.uri = action, uri
        super().__init__(f"Cannot {action} {uri}: {why.rstrip('.')}.{' ' + todo if todo else ''}")


class ObjectChangedError(StorageError):
    """The object is not the one any more that was looked at."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        super().__init__(f"{uri} was changed while it was read: do it again when nobody writes to it.")


class UploadGoneError(StorageError):
    """An unfinished upload was removed, or has expired."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        super().__init__(f"The unfinished upload to {uri} is not there any more: copy it again from its beginning.")


class UriError(StorageError, ValueError):
    """A URI or a path that names nothing that can be used."""

    exit_code = 2

    def __init__(self, uri: str, why: str, todo: str) -> None:
        self.uri = uri
        message = f"Cannot use {uri!r} as a place: {why.rstrip('.')}. {todo}"
        # What stands where other URIs have a password is no part of any name here, and may be one all the same.
        _, mark, password = uri.partition("://")[2].partition("/")[0].rpartition("@")[0].partition(":")
        super().__init__(message.replace(f"{mark}{password}@", f"{mark}***@") if password else message)


class VerificationError(StorageError):
    """What arrived is not what was sent."""

    def __init__(self, uri: str, expected: str, found: str) -> None:
        self.uri, self.expected, self.found = uri, expected, found
        super().__init__(
            f"{uri} did not arrive whole: expected {expected}, found {found}. Nothing was published; copy it again."
        )


class WorkflowError(MercuryError):
    """A workflow that cannot be run, or that failed."""


class WorkflowFileError(WorkflowError):
    """Everything that is wrong with a workflow file, found before any work.

    Attributes:
        faults: One line each, ``file:line:column: what, what was expected``.
    """

    exit_code = 2

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


class StepFailedError(WorkflowError):
    """A step of a run failed; the cause is chained."""

    def __init__(self, step: str, where: str, cause: BaseException) -> None:
        self.step, self.where = step, where
        exit_code = getattr(cause, "exit_code", None)
        if isinstance(exit_code, int):
            self.exit_code = exit_code
        named = f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
        said = str(cause) if isinstance(cause, MercuryError) else named
        super().__init__(f"{where}: the step {step} failed: {said}")
