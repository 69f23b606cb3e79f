"""Roles: which columns of a table are what.

``{"index": ["id"], "features": ["a", "b"], "targets": "y"}``: by role a name, a list of names, or ``"*"`` for all
columns that no other role names. One role may be ``"*"``; ``features`` is by default. A column has one role: a target
that were a feature too would tell the model what it is to learn.
"""

from __future__ import annotations

from collections.abc import Mapping

from mercury_core.errors import MissingColumnsError, RolesError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

REST = "*"
#: The roles that Mercury itself knows; others are allowed and come along.
KNOWN = ("features", "targets", "index", "sample_weight", "predictions")


def normalise(roles: Mapping[str, Any]) -> dict[str, tuple[str, ...] | str]:
    """Check roles as far as it can be done without a table.

    Args:
        roles: As a user writes them.

    Returns:
        By role the names, or ``"*"``; with ``features``. Normal roles come back as they are.

    Raises:
        RolesError: A role that names nothing, names that are no texts, a column in two roles, two roles that are
            ``"*"``.

    Examples:
        >>> normalise({"targets": "y"})
        {'targets': ('y',), 'features': '*'}
    """
    if not isinstance(roles, Mapping):
        raise RolesError(f"Roles are a mapping from role to columns, as {{'targets': 'y'}}: found {roles!r}.")
    normal = {_role(role): _names(role, names) for role, names in roles.items()}
    if "features" not in normal:
        normal["features"] = REST
    rest = [role for role, names in normal.items() if names == REST]
    if len(rest) > 1:
        hint = " 'features' is '*' where it is not given: name its columns." if "features" not in roles else ""
        raise RolesError(
            f"The roles {' and '.join(map(repr, rest))} are both '*': only one can have all other columns.{hint}"
        )
    holder: dict[str, str] = {}
    for role, names in normal.items():
        for name in names if names != REST else ():
            if name in holder:
                where = (
                    f"twice in the role {role!r}"
                    if holder[name] == role
                    else f"in the roles {holder[name]!r} and {role!r}"
                )
                raise RolesError(f"The column {name!r} is {where}: a column has one role, once.")
            holder[name] = role
    return normal


def _role(role: object) -> str:
    if not isinstance(role, str) or not role:
        raise RolesError(f"The role {role!r} is no name: expected one like {', '.join(KNOWN)}.")
    return role


def _names(role: str, names: Any) -> tuple[str, ...] | str:
    if isinstance(names, str):
        names = names if names == REST else (names,)
    if names == REST:
        return REST
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) and name for name in names):
        raise RolesError(f"The role {role!r} is {names!r}: expected the name of a column, a list of names, or '*'.")
    if REST in names:
        raise RolesError(
            f"The role {role!r} has '*' among other names: '*' stands alone, and means all columns without a role."
        )
    if not names:
        raise RolesError(f"The role {role!r} names no column: name one, or leave the role out.")
    return tuple(names)


def columns_of(roles: Mapping[str, Any]) -> list[str] | None:
    """The columns that a reader has to read.

    Args:
        roles: Normal or not.

    Returns:
        Every column that has a role, in the order of the roles; None where a role is ``"*"``, which needs them all.

    Raises:
        RolesError: As `normalise`.
    """
    named = normalise(roles)
    if REST in named.values():
        return None
    return [name for names in named.values() for name in names]


def assign(roles: Mapping[str, Any], columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Give the columns of a table their roles.

    Args:
        roles: Normal or not.
        columns: The columns that there are.

    Returns:
        By role its columns, in the order in which the role names them (``"*"``: of the table); a role without any is
        left out.

    Raises:
        MissingColumnsError: A role names columns that are not there.
        RolesError: As `normalise`.
    """
    named = normalise(roles)
    taken = [name for names in named.values() if names != REST for name in names]
    have = set(columns)
    missing = [name for name in taken if name not in have]
    if missing:
        raise MissingColumnsError("The table", missing, columns)
    others = tuple(name for name in columns if name not in set(taken))
    assigned = {role: others if names == REST else tuple(names) for role, names in named.items()}
    return {role: names for role, names in assigned.items() if names}
