# flake8: noqa
# pylint: disable=all
import sqlite3  # type: ignore  # pragma: no cover
