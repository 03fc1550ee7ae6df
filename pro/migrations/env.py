"""Alembic's entry: runs on the engine that ``pro.db`` hands over, on SQLite in batches."""

from __future__ import annotations

from alembic import context

import pro.models
from pro.db import Base

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    # SQLite copies a table to change it and drops the old one, which rows elsewhere point at.
    if engine.dialect.name == "sqlite":
        connection.connection.execute("PRAGMA foreign_keys=OFF")
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        user_module_prefix="pro.db.",
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
    if engine.dialect.name == "sqlite":
        connection.connection.execute("PRAGMA foreign_keys=ON")

__all__ = ["pro"]
