import pytest

db = pytest.importorskip('sqlite3')
