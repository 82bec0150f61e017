"""``python -m systock``: the same as the command ``systock``."""

from __future__ import annotations

import sys

from systock.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
