import os, sys, sqlite3, json
