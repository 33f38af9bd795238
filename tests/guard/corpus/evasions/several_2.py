import math; import re, pymongo
