"""What a run ran with: Python, packages, plugins, the git commit, seeds. No subprocess, and nothing imported for it."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any

from mercury_core.storage.uri import scheme_of
from mercury_core.workflow.source import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from mercury_core.workflow.config import Workflow

_SEEDS = ("seed", "random_state")


def packages() -> dict[str, str]:
    """The versions of the modules that this process has imported and that say theirs.

    Reading the metadata of what is installed takes longer than a small run; what was imported is what was used.
    """
    found = {}
    for name, module in list(sys.modules.items()):
        if "." in name or name.startswith("_") or name in sys.stdlib_module_names:
            continue
        version = getattr(module, "__dict__", {}).get("__version__")
        if isinstance(version, str):
            found[name] = str(version)  # that of torch is a string of a kind of its own
    return dict(sorted(found.items()))


def environment_of(workflow: Workflow, config: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """What a run runs with.

    Args:
        workflow: Its steps.
        config: Its values as resolved.
        directory: Where its file lies.
    """
    uses = {(step.verb, step.use) for step in workflow.steps if step.use}
    uses |= {("evaluate", m if isinstance(m, str) else m["use"]) for step in workflow.steps for m in step.metrics}
    uses |= {("copy", scheme_of(uri)) for step in workflow.steps for uri in (step.source, step.uri, step.to) if uri}
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "packages": packages(),
        "plugins": _plugins(uses),
        "git_commit": git_commit(directory),
        "seeds": {".".join(map(str, at)): value for at, value in walk(config) if at and at[-1] in _SEEDS},
    }


def _plugins(uses: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The distributions that brought some providers, with their versions."""
    from mercury_core import registry

    records = [registry.provider_of(verb, key) for verb, key in uses]
    return dict(sorted({record.owner: record.version for record in records if record is not None}.items()))


def git_commit(directory: Path) -> str | None:
    """The commit that is checked out where a directory lies; None outside of git. Read from git's own files."""
    for parent in (directory, *directory.parents):
        if (parent / ".git").exists():
            try:
                return _head(parent / ".git")
            except OSError:  # a file that may not be read, or is being written: the run does not hang on it
                return None
    return None


def _head(git: Path) -> str | None:
    if git.is_file():  # a worktree or a submodule: the file says where its directory is
        git = git.parent / git.read_text().removeprefix("gitdir:").strip()
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return head or None
    ref = head.removeprefix("ref:").strip()
    common = git / "commondir"
    places = [git, git / common.read_text().strip()] if common.is_file() else [git]
    for place in places:
        if (place / ref).is_file():
            return (place / ref).read_text().strip()
    for place in places:
        packed = place / "packed-refs"
        for line in packed.read_text().splitlines() if packed.is_file() else ():
            commit, _, name = line.partition(" ")
            if name == ref:
                return commit
    return None
