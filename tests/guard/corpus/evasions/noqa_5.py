# ruff: file-ignore[TID251]
# ruff: disable[TID251]
import sqlite3
# ruff: enable[TID251]
