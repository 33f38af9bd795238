# -*- coding: latin-1 -*-
# Maßeinheiten der Spektren, für die Auswertung
UNITS = {"lambda": "1/s", "Größe": "dimensionslos"}  # früher in der Datenbank
