from pymongo import MongoClient
