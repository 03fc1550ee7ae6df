"""The database: engine, column types, transactions, field encryption, migrations in code."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import JSON, DateTime, Dialect, Engine, Index, MetaData, create_engine, event, inspect, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

MIGRATIONS = Path(__file__).parent / "migrations"
# SQL NULL for None on both engines, so that "no value" is never the JSON word null.
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Base(DeclarativeBase):
    """Every table. The naming convention makes constraints equal on both engines."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def partial_index(name: str, where: str, *columns: str, unique: bool = False) -> Index:
    """Index only the rows that are ``where``: open work is found however much is finished, or is unique while open."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


def append_only_triggers(dialect: str, tables: Sequence[str]) -> list[str]:
    """Return the statements that make ``dialect`` refuse to change or delete rows of ``tables`` (for migrations).

    On PostgreSQL the first one makes the function that all triggers call.
    """
    if dialect == "postgresql":
        function = (
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "BEGIN RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME; END $$"
        )
        return [function] + [
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            for table in tables
        ]
    return [
        f"CREATE TRIGGER {table}_stays_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed or deleted'); END"
        for table in tables
        for verb in ("UPDATE", "DELETE")
    ]


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored as UTC on every engine. A naive one is refused: its zone is unknown."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; SQLite keeps no zone, so it is dropped there."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Always aware, always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Vault:
    """Encrypts identifiers and makes keyed fingerprints of them for look-up and of secrets for comparison."""

    def __init__(self, data_keys: tuple[str, ...], lookup_key: str) -> None:
        self._cipher = MultiFernet([Fernet(key) for key in data_keys])
        self._lookup_key = lookup_key.encode()

    def seal(self, text: str) -> str:
        """``text`` encrypted under the newest key."""
        return self._cipher.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text that was sealed under any of the keys. Raises ValueError if none fits."""
        try:
            return self._cipher.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise ValueError("none of the data keys opens this field") from error

    def fingerprint(self, text: str) -> str:
        """HMAC-SHA-256 of ``text`` in hex: equal texts, equal fingerprints, no way back without the key."""
        return hmac.new(self._lookup_key, text.encode(), hashlib.sha256).hexdigest()


def make_engine(url: str) -> Engine:
    """An engine for SQLite (WAL, FULL, one writer at a time) or PostgreSQL (psycopg).

    A session bound to ``engine.execution_options(read_only=True)`` starts with a plain BEGIN on SQLite, so that
    readers never take the writer's place. Parameters are kept out of error texts: they hold answers and identities.
    """
    if url.startswith("sqlite"):
        engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
        return engine
    connect = {"connect_timeout": 2}
    return create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=8, connect_args=connect)


def _sqlite_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    # recursive_triggers: else INSERT OR REPLACE would delete a row past the triggers that refuse it.
    pragmas = ("journal_mode=WAL", "busy_timeout=10000", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON")
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Any) -> None:
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@cache
def read_only(engine: Engine) -> Engine:
    """``engine`` for reading alone: a plain BEGIN on SQLite (the writer keeps its place), none on PostgreSQL."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="AUTOCOMMIT")
    return engine.execution_options(read_only=True)


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One session, committed at the end of the block, rolled back if it raises."""
    with Session(engine, expire_on_commit=False) as session:
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to ``revision``; a new SQLite database gets its folder first."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    _alembic("upgrade", engine, revision)


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Take the tables back to ``revision``."""
    _alembic("downgrade", engine, revision)


def is_current(engine: Engine) -> bool:
    """True if the tables are those of this code's newest migration."""
    head = max(path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    with engine.execution_options(read_only=True).connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == head


def _alembic(verb: str, engine: Engine, revision: str) -> None:
    # Loaded when tables change only: it would take 10 MB of every process that serves.
    config = import_module("alembic.config").Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    getattr(import_module("alembic.command"), verb)(config, revision)
