# ruff: noqa
import sqlite3  # noqa: TID251
