"""Mercury: the parts of every machine-learning project, and a place where technologies slot in.

Every public name is imported when it is first used: ``import mercury_core`` runs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core import registry as registry
    from mercury_core.bundle import Bundle as Bundle, verify as verify
    from mercury_core.data import (
        DataBunch as DataBunch,
        DataSet as DataSet,
        DataWrapper as DataWrapper,
        Predictions as Predictions,
    )
    from mercury_core.errors import MercuryError as MercuryError
    from mercury_core.hookspecs import hookimpl as hookimpl
    from mercury_core.provider import Provider as Provider
    from mercury_core.registry import (
        ArtifactCopiers as ArtifactCopiers,
        Engines as Engines,
        Metrics as Metrics,
        ModelFitters as ModelFitters,
        ModelSavers as ModelSavers,
        ModelServers as ModelServers,
        SourceReaders as SourceReaders,
        Transformers as Transformers,
    )
    from mercury_core.serving import serve_model as serve_model
    from mercury_core.storage import copy as copy
    from mercury_core.tasks import (
        evaluate_model as evaluate_model,
        fit_model as fit_model,
        load_model as load_model,
        read_data_bunch as read_data_bunch,
        store_artifact as store_artifact,
        store_model as store_model,
        transform_data_bunch as transform_data_bunch,
    )
    from mercury_core.workflow import check_workflow as check_workflow, run_workflow as run_workflow

__version__ = "0.1.0"

_HOMES = {
    "bundle": ("Bundle", "verify"),
    "data": ("DataBunch", "DataSet", "DataWrapper", "Predictions"),
    "errors": ("MercuryError",),
    "hookspecs": ("hookimpl",),
    "provider": ("Provider",),
    "registry": (
        "ArtifactCopiers",
        "Engines",
        "Metrics",
        "ModelFitters",
        "ModelSavers",
        "ModelServers",
        "SourceReaders",
        "Transformers",
    ),
    "serving": ("serve_model",),
    "storage": ("copy",),
    "tasks": (
        "evaluate_model",
        "fit_model",
        "load_model",
        "read_data_bunch",
        "store_artifact",
        "store_model",
        "transform_data_bunch",
    ),
    "workflow": ("check_workflow", "run_workflow"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    """Import a public name from its home, once."""
    from importlib import import_module

    if name in _HOME_OF:
        value: object = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
