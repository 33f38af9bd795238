"""A SQLite file with everything that other exporters get wrong, and the slow plain reading of any SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

SCRIPT = """
PRAGMA user_version = 7; PRAGMA application_id = 99;
CREATE TABLE mixed (a, b INTEGER, c TEXT);
INSERT INTO mixed VALUES (1, 'x', x'00ff'), (2.5, 9223372036854775807, 't'), (NULL, -9223372036854775808, NULL),
  ('s', 9e999, -0.0), (x'', -9e999, CAST(x'ff41' AS TEXT)), (-0.0, 0, 'a' || char(0) || 'b'),
  (1.0, 1, ''), (1, 1.5, ' 1');
CREATE TABLE bad_text (t TEXT); INSERT INTO bad_text VALUES ('good'), (CAST(x'80' AS TEXT)), ('ü'), (NULL);
CREATE TABLE no_rows (i INTEGER, r REAL, t TEXT, b BLOB, n NUMERIC, x);
CREATE TABLE nulls (i INTEGER, r REAL, t); INSERT INTO nulls VALUES (NULL, NULL, NULL), (NULL, NULL, NULL);
CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO keyed VALUES ('b', 1), ('a', 2), ('', x'00');
CREATE TABLE two_keys (v, a INTEGER, b TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID;
INSERT INTO two_keys VALUES (1, 2, 'x'), (2, 1, 'x'), (3, 9, 'a');
CREATE TABLE made (a INTEGER, b INTEGER GENERATED ALWAYS AS (a * 2) VIRTUAL,
  c TEXT GENERATED ALWAYS AS ('x' || a) STORED);
INSERT INTO made (a) VALUES (1), (2);
CREATE TABLE "we""ird name; --" ("sel ect" TEXT, "ünï" INTEGER, "a""b");
INSERT INTO "we""ird name; --" VALUES ('x', 1, 2);
CREATE TABLE "con" (a); INSERT INTO "con" VALUES (1);
CREATE TABLE strict_one (a INTEGER, b TEXT, c ANY) STRICT; INSERT INTO strict_one VALUES (1, '2', x'03'), (2, '', '3');
CREATE VIRTUAL TABLE found USING fts5(body); INSERT INTO found VALUES ('hello world'), ('foo');
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO counted VALUES (5, 'a'), (9, 'b');
DELETE FROM counted WHERE id = 9;
CREATE TABLE downwards (id INTEGER PRIMARY KEY DESC, v); INSERT INTO downwards VALUES (5, 'a'), (3, 'b');
CREATE TABLE named_rowid (rowid TEXT, v, __rowid__); INSERT INTO named_rowid VALUES ('q', 1, 2), ('p', 2, 3);
CREATE TABLE gaps (v); INSERT INTO gaps (rowid, v) VALUES (-4, 'a'), (7, 'b'), (9223372036854775807, 'c');
CREATE TABLE twice (a, b); INSERT INTO twice VALUES (1, 'x'), (1, 'x'), (1, 'x');
CREATE TABLE parent (id INTEGER PRIMARY KEY CHECK (id > 0)); CREATE TABLE child (p REFERENCES parent (id));
INSERT INTO child VALUES (77);
CREATE VIEW seen AS SELECT * FROM counted; CREATE INDEX by_v ON counted (v);
CREATE TRIGGER noted AFTER INSERT ON counted BEGIN INSERT INTO gaps (v) VALUES ('triggered'); END;
"""


def make(path: Path, *, encoding: str = "UTF-8", many: int = 0) -> Path:
    """A hostile database; ``many`` adds a table of so many integers with one text among them."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA encoding = '{encoding}'")
        connection.executescript(SCRIPT)
        if many:
            connection.execute("CREATE TABLE many (i INTEGER, t TEXT)")
            rows = ((n if n != many - 1 else "odd", f"t{n}") for n in range(many))
            connection.executemany("INSERT INTO many VALUES (?, ?)", rows)
        connection.commit()
    return path


def cells(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Table -> rows as (storage class, bytes) of every cell, told by SQL alone, with the row id where there is one."""
    found = {}
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        listed = [(row[1].decode(), row[2], row[4]) for row in connection.execute("PRAGMA table_list")]
        for name, kind, without_rowid in listed:
            if name.startswith("sqlite_") or kind in (b"view", b"shadow"):
                continue
            quoted = '"' + name.replace('"', '""') + '"'
            columns = [
                row[1].decode().replace('"', '""') for row in connection.execute(f"PRAGMA table_xinfo({quoted})")
            ]
            if kind == b"virtual":
                columns = columns[:1]
            row_id = "" if without_rowid else "_rowid_, "
            asked = ", ".join(f'typeof("{c}"), hex("{c}"), "{c}"' for c in columns)
            rows = connection.execute(f"SELECT {row_id}{asked} FROM {quoted}").fetchall()
            found[name] = sorted(repr(row) for row in rows)
    return found
