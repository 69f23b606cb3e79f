"""``python -m mercury_core`` is ``mercury-ml``."""

from __future__ import annotations

import sys

from mercury_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
