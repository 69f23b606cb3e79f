"""How much memory a process holds, where the system tells it: on Linux."""

from __future__ import annotations

import os
from pathlib import Path

#: There where processes can be looked at.
MEMORY = Path("/proc/self/statm")


def memory_of(pid: int) -> int:
    """The memory of a process that is resident, in bytes; 0 of one that is gone.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html
    """
    try:
        content = Path(f"/proc/{pid}/statm").read_text()
    except OSError:
        return 0
    return int(content.split()[1]) * os.sysconf("SC_PAGE_SIZE")
