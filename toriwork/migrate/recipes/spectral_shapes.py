"""The written shapes of a class of signatures that is moved; words in capitals stand for names (see ``shapes``)."""

from __future__ import annotations

from toriwork.migrate.recipes.shapes import texts
from toriwork.migrate.recipes.tables import INDEX, TABLE

OPEN = (
    """
def __init__(self, FILE=ANY_FILE, max_entries=ANY_BOUND):
    self.PATH = Path(FILE or DEFAULT)
    self.max_entries = max_entries
    self.PATH.parent.mkdir(parents=True, exist_ok=True)
    self.CONN = sqlite3.connect(str(self.PATH))
    self.CREATE()
""",
    """
def __init__(self, FILE=ANY_FILE, max_entries=ANY_BOUND):
    self.PATH = FILE
    self.max_entries = max_entries
    self.CONN = sqlite3.connect(FILE)
    self.CREATE()
""",
)
CREATE = "def CREATE(self):\n    with self.CONN:\n        self.CONN.executescript(self.SCHEMA)\n"
_WRITE = """(
            "INSERT INTO {table} ({hash}, {time}, {eigenvalues}, {betti}, {band}, {gaps}) VALUES (?, ?, ?, ?, ?, ?)",
            (
                signature.hash_id,
                signature.timestamp,
                np.asarray(signature.eigenvalues, dtype="<f8").tobytes(),
                None if BETTI is None else json.dumps([float(ITEM) for ITEM in BETTI]),
                signature.coherence_state,
                json.dumps([float(GAP) for GAP in signature.gaps]),
            ),
        )
        self.CONN.execute(
            "DELETE FROM {table} WHERE {id} <= (SELECT MAX({id}) FROM {table}) - ?", (self.max_entries,)
        )
"""
_ADD_HEAD = "def add(self, signature):\n    BETTI = signature.betti_numbers\n    with self.CONN:\n        "
ADD = (
    f"{_ADD_HEAD}self.CONN.execute{_WRITE}",
    f"{_ADD_HEAD}CURSOR = self.CONN.execute{_WRITE}    return CURSOR.lastrowid\n",
)
DISTANCE = """
def distance(self, eigenvalues, top_k=10):
    ROWS = self.CONN.execute("SELECT {eigenvalues} FROM {table} ORDER BY {id} DESC LIMIT ?", (top_k,)).fetchall()
    if not ROWS:
        return float("inf")
    WANTED = np.sort(np.abs(np.asarray(eigenvalues)))[::-1]
    return min(self.COMPARE(WANTED, np.frombuffer(ROW[0], dtype="<f8")) for ROW in ROWS)
"""
_COMPARE = """
@staticmethod
def COMPARE(A, B):
    B = np.sort(np.abs(B))[::-1]
    N = max(len(A), len(B))
    A = np.pad(A, {0})
    B = np.pad(B, {1})
    return float(np.mean(np.abs(A - B)))
"""
SMALL_END = _COMPARE.format("(0, N - len(A))", "(0, N - len(B))")
LARGE_END = _COMPARE.format("(N - len(A), 0)", "(N - len(B), 0)")
_RECENT = """
def recent(self, n=ANY_N):
    ROWS = self.CONN.execute(
        "SELECT {time}, {eigenvalues}, {hash}, {betti}, {band}, {gaps} FROM {table} ORDER BY {id} DESC LIMIT ?", (n,)
    )
    return [
        MADE(
            timestamp=ROW[0],
            eigenvalues=np.frombuffer(ROW[1], dtype="<f8"),
            hash_id=ROW[2],
            betti_numbers=None if ROW[3] is None else json.loads(ROW[3]),
            coherence_state=ROW[4],
            gaps=json.loads(ROW[5] or "[]"),
        )
        for ROW in ROWS
    ]
"""
#: shapes of methods that are optional -> the line that answers them, none where the inherited one does
ANSWERED = (
    (_RECENT, "return [{MADE}(**fields) for fields in super().recent(n)]"),
    (
        'def count(self):\n    return self.CONN.execute("SELECT COUNT(*) FROM {table}").fetchone()[0]',
        "return super().count()",
    ),
    ("def commit(self):\n    self.CONN.commit()\n", "super().flush()"),
    ("def close(self):\n    self.CONN.close()\n", ""),
)
_SHAPES = (*OPEN, CREATE, *ADD, DISTANCE, *(shape for shape, _ in ANSWERED))
#: every statement of SQL that such a class may send
SQL = (TABLE, INDEX, *(text for shape in _SHAPES for text in texts(shape) if "{" in text))
