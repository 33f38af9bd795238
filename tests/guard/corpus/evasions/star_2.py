from peewee import *
