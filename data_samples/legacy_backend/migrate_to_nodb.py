"""Moves this backend from its database to plain files.

    python migrate_to_nodb.py [--dry-run]

Shows every change, then makes it; everything that is changed is kept in backup_pre_nodb/.
"""

import sys
from pathlib import Path

from toriwork.cli import main

if __name__ == "__main__":
    sys.exit(main(["migrate", str(Path(__file__).resolve().parent), *sys.argv[1:]]))
