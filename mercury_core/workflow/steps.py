"""What each step of a workflow does: it calls the task of its verb on the state that flows through a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mercury_core import tasks
from mercury_core.contracts import Trained
from mercury_core.errors import MetricError
from mercury_core.storage.uri import is_remote, to_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mercury_core.bundle import Bundle
    from mercury_core.data import DataBunch
    from mercury_core.storage import CopyProgress, CopyReport, Stores
    from mercury_core.workflow.ahead import ReadAhead
    from mercury_core.workflow.config import Step
    from mercury_core.workflow.keeping import Keeper
    from mercury_core.workflow.watch import Watchers


#: A record of a copy holds the checksums of so many files, and none where there are more.
MOST_CHECKSUMS = 1000


class State:
    """What flows through a run: one data bunch, then one bundle a model, then what was measured and written.

    Args:
        run: The id of the run.
        steps: All its steps.
        watchers: Told of the progress of copies.
        ahead: What is being read by now.
        stores: Where everything is read, loaded and copied.
        keeper: Told of what was fitted and what was saved.

    Attributes:
        metrics: ``{data set: {metric: value}}``, under the model's name first where there are several.
        artifacts: What was written, one mapping each.
    """

    def __init__(
        self,
        run: str,
        steps: Sequence[Step],
        watchers: Watchers,
        ahead: ReadAhead,
        stores: Stores,
        keeper: Keeper,
    ) -> None:
        self.run = run
        self._stores = stores
        self._keeper = keeper
        self.metrics: dict[str, Any] = {}
        self.artifacts: list[dict[str, Any]] = []
        self._watchers = watchers
        self._ahead = ahead
        self._several = sum(step.verb == "fit" for step in steps) > 1
        self._needing_data = [step for step in steps if step.verb in ("transform", "fit", "evaluate")]
        self._bunch: DataBunch | None = None
        self._bundles: dict[str, Bundle] = {}
        self._saved: list[tuple[Step, str, dict[str, Any]]] = []
        self._loaded: str | None = None

    def do(self, step: Step) -> dict[str, Any]:
        """Do one step.

        Returns:
            What the record keeps of it.
        """
        result: dict[str, Any] = getattr(self, f"_{step.verb}")(step)
        if self._needing_data and step is self._needing_data[-1]:
            self._bunch = None  # data that no step needs any more should not sit in memory beside the next ones
        return result

    def _read(self, step: Step) -> dict[str, Any]:
        from mercury_core.data import DataBunch

        read = self._ahead.take(step, self._stores)
        self._bunch = DataBunch({**(self._bunch or {}), **read})
        return {"rows": {name: data_set.num_rows for name, data_set in read.items()}}

    def _transform(self, step: Step) -> dict[str, Any]:
        # The old bunch is let go while the new one is made: a transform may need the memory.
        bunch, self._bunch = self._bunch, None
        self._bunch = tasks.transform_data_bunch(_there(bunch), str(step.use), data=step.inputs, **step.params)
        return {"rows": {name: data_set.num_rows for name, data_set in self._bunch.items()}}

    def _fit(self, step: Step) -> dict[str, Any]:
        name, began = step.own or "model", time.perf_counter()
        bundle = tasks.fit_model(_there(self._bunch), str(step.use), **step.params)
        self._bundles[name] = bundle
        self._keeper.fitted(name, step, bundle, time.perf_counter() - began)
        told = bundle.model.training if isinstance(bundle.model, Trained) else {}
        return {"model": type(bundle.underlying).__name__, **({"training": dict(told)} if told else {})}

    def _load(self, step: Step) -> dict[str, Any]:
        bundle = tasks.load_model(step.uri, trusted=step.trusted, trust=step.trust, stores=self._stores)
        self._bundles["model"] = bundle
        self._loaded = step.uri
        return {"model": type(bundle.underlying).__name__}

    def _evaluate(self, step: Step) -> dict[str, Any]:
        names = list(self._bundles) if step.model is None else [step.model]
        measured = {name: self._measured(name, step) for name in names}
        for name, of_sets in measured.items():
            into = self.metrics.setdefault(name, {}) if self._several else self.metrics
            for data_set, values in of_sets.items():
                into.setdefault(data_set, {}).update(values)
        return {"metrics": measured if self._several else measured[names[0]]}

    def _measured(self, name: str, step: Step) -> dict[str, dict[str, Any]]:
        try:
            return tasks.evaluate_model(self._bundles[name], _there(self._bunch), step.metrics, data=step.data)
        except MetricError as error:
            if self._several:
                error.args = (f"{error} The model is {name!r}.",)
            raise

    def _save(self, step: Step) -> dict[str, Any]:
        name = step.model or next(iter(self._bundles))
        metrics = self.metrics.get(name) if self._several else self.metrics
        stored = tasks.store_model(
            self._bundles[name],
            step.path,
            format=str(step.use),
            overwrite=step.overwrite,
            metrics=metrics or None,
            run=self.run,
            license=step.license,
            description=step.description,
            **step.params,
        )
        self._keeper.saved(name)
        proof = proof_of(stored.path)
        self._saved.append((step, str(stored.path), proof))
        self._note(step, {"path": str(stored.path)}, proof)
        return {"path": str(stored.path), "size": proof["size"]}

    def _copy(self, step: Step) -> dict[str, Any]:
        from mercury_core.storage import copy

        reports = []
        for source, proof in self._to_copy(step):

            def progress(done: CopyProgress, source: str = source) -> None:
                self._watchers.tell_listener(
                    "copy_progress", source=source, target=step.to, files=done.files, size=done.bytes
                )

            report = copy(source, step.to, overwrite=step.overwrite, progress=progress, stores=self._stores)
            # What was there before and was skipped is not known to be the same.
            self._note(step, {"uri": report.target}, proof if not report.skipped else {})
            reports.append(report)
        return _told(reports)

    def _to_copy(self, step: Step) -> list[tuple[str, dict[str, Any]]]:
        """What a step of copy sends, with its proof: copying proves that what arrived is the same."""
        chosen = [
            (path, proof)
            for save, path, proof in self._saved
            if (step.model is None or save.model in (step.model, None))
            and (step.inputs is None or save.own in step.inputs or save.name in step.inputs)
        ]
        if not chosen and self._loaded is not None:
            chosen = [(self._loaded, {} if is_remote(self._loaded) else proof_of(to_path(self._loaded)))]
        return chosen

    def _note(self, step: Step, place: Mapping[str, str], proof: Mapping[str, Any]) -> None:
        self.artifacts.append({"step": step.name, "kind": "model", **place, **proof})


def _told(reports: Sequence[CopyReport]) -> dict[str, Any]:
    """What the record keeps of copies."""
    told: dict[str, Any] = {"to": reports[0].target if len(reports) == 1 else [report.target for report in reports]}
    for name in ("files", "bytes", "skipped", "resumed"):
        told[name] = sum(getattr(report, name) for report in reports)
    if told["files"] <= MOST_CHECKSUMS:
        told["checksums"] = {report.target: dict(report.checksums) for report in reports}
    return told


def _there(bunch: DataBunch | None) -> DataBunch:
    if bunch is None:  # only a workflow that was not checked gets here
        from mercury_core.errors import DataError

        raise DataError("There is no data: a step of read comes first.")
    return bunch


def proof_of(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file; of a directory those of its files too, its own being that of the list of theirs as
    ``sha256sum`` writes it.
    """
    from mercury_core.storage.atomic import sha256_of

    if path.is_file():
        return {"size": path.stat().st_size, "sha256": sha256_of(path)}
    import hashlib

    files: dict[str, dict[str, Any]] = {}
    listed, total = "", 0
    for one in sorted(path.rglob("*")):
        if one.is_file():
            name, size, sha256 = one.relative_to(path).as_posix(), one.stat().st_size, sha256_of(one)
            files[name] = {"size": size, "sha256": sha256}
            listed, total = f"{listed}{sha256}  {name}\n", total + size
    return {"size": total, "sha256": hashlib.sha256(listed.encode()).hexdigest(), "files": files}
