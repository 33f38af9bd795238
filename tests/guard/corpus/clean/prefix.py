import sqlite3_free_zone
import redistribute
from dbmodels import thing
import shelves, motorcycle, alembics
