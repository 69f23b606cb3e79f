"""Data: wrappers of tables and arrays, data sets of wrappers, bunches of data sets; predictions and roles.

======================  =======================================================================
`DataWrapper`           some data (Arrow, NumPy, pandas, polars, …) and the names of its fields
`DataSet`               named wrappers with the same rows: features, targets, index, …
`DataBunch`             named data sets: train, valid, test, …
`Predictions`           what a model gives: values, and scores where it has them
`mercury_core.data.roles`  which columns of a table are what
`mercury_core.data.content`  which columns stand for something else, as for images
======================  =======================================================================

All are immutable, and mappings with attribute access. Arrow is the hub of every conversion.
"""

from __future__ import annotations

from mercury_core.data.data_bunch import DataBunch
from mercury_core.data.data_set import DataSet
from mercury_core.data.wrapper import DataWrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.data.predictions import Predictions as Predictions

__all__ = ["DataBunch", "DataSet", "DataWrapper", "Predictions"]


def __getattr__(name: str) -> object:
    """Import `Predictions` when it is first used: it is a dataclass, which the rest does not need."""
    if name == "Predictions":
        from mercury_core.data.predictions import Predictions

        globals()[name] = Predictions
        return Predictions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
