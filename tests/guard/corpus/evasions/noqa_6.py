# toriwork: allow
import sqlite3  # guard: ignore
