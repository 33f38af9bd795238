import alembic.config
