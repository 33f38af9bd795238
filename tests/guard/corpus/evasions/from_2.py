from sqlalchemy import create_engine
