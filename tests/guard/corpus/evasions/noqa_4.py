# ruff: ignore[TID251]
import sqlite3  # ruff: ignore[TID251]
