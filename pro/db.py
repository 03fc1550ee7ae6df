"""Database: engine, column types, transactions, field encryption, migrations."""

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
# None is stored as SQL NULL on both engines, never as the JSON value null.
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Base(DeclarativeBase):
    """Base class of all tables. Constraints have the same names on both engines."""

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
    """Make an index of the rows that meet ``where``; ``unique`` among those rows only.

    It stays small and fast when most rows of a table are finished.
    """
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


def fixed_column_triggers(dialect: str, table: str, columns: Sequence[str]) -> list[str]:
    """Return the statements that make ``dialect`` refuse to change ``columns`` of ``table``, or to delete its rows.

    On PostgreSQL they need the function that ``append_only_triggers`` makes.
    """
    if dialect == "postgresql":
        changed = " OR ".join(f"OLD.{name}::text IS DISTINCT FROM NEW.{name}::text" for name in columns)
        return [
            f"CREATE TRIGGER {table}_fixed BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({changed}) "
            "EXECUTE FUNCTION refuse_change()",
            f"CREATE TRIGGER {table}_stays BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        ]
    changed = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in columns)
    refuse = f"BEGIN SELECT RAISE(ABORT, 'these columns of {table} are never changed, and its rows never deleted'); END"
    return [
        f"CREATE TRIGGER {table}_fixed BEFORE UPDATE ON {table} WHEN {changed} {refuse}",
        f"CREATE TRIGGER {table}_stays_delete BEFORE DELETE ON {table} {refuse}",
    ]


class UtcDateTime(TypeDecorator[datetime]):
    """A datetime with time zone, stored as UTC on every engine.

    A datetime without time zone raises ValueError, because its meaning is unknown.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; on SQLite, which stores no time zone, remove the zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored time with time zone UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Vault:
    """Encrypts identifiers; makes keyed fingerprints for look-up and comparison."""

    def __init__(self, data_keys: tuple[str, ...], lookup_key: str) -> None:
        self._cipher = MultiFernet([Fernet(key) for key in data_keys])
        self._lookup_key = lookup_key.encode()

    def seal(self, text: str) -> str:
        """Encrypt ``text`` with the newest key."""
        return self._cipher.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Decrypt ``sealed`` with any of the keys. Raises ValueError if no key fits."""
        try:
            return self._cipher.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise ValueError("none of the data keys opens this field") from error

    def fingerprint(self, text: str) -> str:
        """Return the HMAC-SHA-256 of ``text`` in hex.

        Equal texts have equal fingerprints; the text cannot be recovered or tested without the key.
        """
        return hmac.new(self._lookup_key, text.encode(), hashlib.sha256).hexdigest()


def make_engine(url: str) -> Engine:
    """Make an engine for SQLite (WAL, FULL, one writer at a time) or PostgreSQL (psycopg).

    A session bound to ``engine.execution_options(read_only=True)`` starts with a plain BEGIN on SQLite, so that readers
    do not block the writer. Error texts hold no parameters, because parameters hold answers and identities.
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
    # Without recursive_triggers, INSERT OR REPLACE would delete a row and skip the triggers that refuse this.
    pragmas = ("journal_mode=WAL", "busy_timeout=10000", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON")
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Any) -> None:
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@cache
def read_only(engine: Engine) -> Engine:
    """Return ``engine`` for reading only.

    SQLite: a plain BEGIN, which does not block the writer. PostgreSQL: no transaction (AUTOCOMMIT).
    """
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="AUTOCOMMIT")
    return engine.execution_options(read_only=True)


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """Open one session; commit it at the end of the block, roll back if the block raises."""
    with Session(engine, expire_on_commit=False) as session:
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise


class UnknownVersion(Exception):
    """The tables were made by a version of the program whose migrations this one does not have."""


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Migrate the tables up to ``revision``. Makes the folder of a new SQLite database.

    Raises UnknownVersion, and changes nothing, if this code has no migration of the tables' version.
    """
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    version = _version(engine)
    if version and version not in _versions():
        raise UnknownVersion(version)
    _alembic("upgrade", engine, revision)


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Migrate the tables down to ``revision``."""
    _alembic("downgrade", engine, revision)


def is_current(engine: Engine) -> bool:
    """Return True if the tables are at the newest migration of this code."""
    return _version(engine) == max(_versions())


def drop_tables(engine: Engine) -> None:
    """Drop every table, whichever version of the program made it."""
    found = MetaData()
    found.reflect(engine)
    found.drop_all(engine)


def _versions() -> set[str]:
    return {path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")}


def _version(engine: Engine) -> str:
    """Return the version of the tables; "" if there are none."""
    with engine.execution_options(read_only=True).connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return ""
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def _alembic(verb: str, engine: Engine, revision: str) -> None:
    # Imported only for migrations: alembic takes 10 MB of memory in every process.
    config = import_module("alembic.config").Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    getattr(import_module("alembic.command"), verb)(config, revision)
