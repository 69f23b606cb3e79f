"""The tree that a repr shows: shapes and types, and never a value."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.data.data_bunch import DataBunch
    from mercury_core.data.data_set import DataSet
    from mercury_core.data.wrapper import DataWrapper

MOST_FIELDS = 8


def describe_wrapper(wrapper: DataWrapper) -> str:
    """Shape, format and the first fields with their types."""
    names, types = wrapper.field_names, wrapper.types()
    fields = [f"{name}: {kind}" for name, kind in zip(names[:MOST_FIELDS], types[:MOST_FIELDS], strict=True)]
    if len(names) > MOST_FIELDS:
        fields.append(f"… {len(names) - MOST_FIELDS} more")
    return f"{wrapper.num_rows:,} × {len(names):,} {wrapper.format} ({', '.join(fields)})"


def describe_set(data_set: DataSet, indent: str = "") -> str:
    """One line a role."""
    width = max((len(role) for role in data_set), default=0)
    applied = len(data_set.applied)
    noted = f", {applied} transform{'s' if applied > 1 else ''} applied" if applied else ""
    lines = [f"{data_set.num_rows:,} row{'s' if data_set.num_rows != 1 else ''}{noted}"]
    lines += [f"{indent}  {role:<{width}}  {describe_wrapper(wrapper)}" for role, wrapper in data_set.items()]
    return "\n".join(lines)


def describe_bunch(bunch: DataBunch) -> str:
    """One branch a data set."""
    sets = [f"  {name}: {describe_set(data_set, '  ')}" for name, data_set in bunch.items()]
    return "\n".join([f"{len(bunch)} data set{'s' if len(bunch) != 1 else ''}", *sets])
