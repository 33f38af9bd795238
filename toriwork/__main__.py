"""``python -m toriwork``: the same as the ``toriwork`` command."""

import sys

from toriwork.cli import main

if __name__ == "__main__":
    sys.exit(main())
