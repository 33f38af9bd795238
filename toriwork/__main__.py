"""``python -m toriwork``: the same as the ``toriwork`` command."""

import sys


def run() -> int:
    """The exit code of the command; 130 also for an interrupt while its modules load."""
    try:
        from toriwork.cli import main

        return main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run())
