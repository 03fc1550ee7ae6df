"""Find out whether answers could be stored now: real writes that leave nothing behind, and the free space of the disk.

A full disk leaves reading intact, so a page that only reads would look healthy while every answer is lost.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from time import monotonic

from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from pro.app_context import AppContext, UnitOfWork
from pro.features.operations import worker_health
from pro.models import Heartbeat

# Seconds between two writes; a full disk is noticed within 15 s although requests for the health are frequent.
INTERVAL = 5.0
# Bytes. With less, the next checkpoint of the database may fail although small writes still succeed.
LEAST_FREE = 8 * 1024 * 1024
PROBE_SIZE = 64_000
DISK, DATABASE = "disk", "database"
# SQLite: disk input or output error, database or disk full. PostgreSQL: class 53, insufficient resources.
SQLITE_CODES = (10, 13)
POSTGRESQL_CLASS = "53"
NOT_ALLOWED = "42501"


@dataclass(slots=True)
class WriteProbe:
    """The last result of one process. Thread-safe: one request writes, the others take its last result."""

    engine: Engine
    _lock: Lock = field(default_factory=Lock)
    _next_at: float = 0.0
    _trouble: str = ""

    def find_trouble(self, app_context: AppContext) -> str:
        """Return DISK or DATABASE if nothing can be stored; else ""."""
        if any(map(_is_full, _folders(app_context))):
            return DISK
        if monotonic() >= self._next_at and self._lock.acquire(blocking=False):
            try:
                self._trouble = _write(app_context)
                self._next_at = monotonic() + INTERVAL
            finally:
                self._lock.release()
        return self._trouble


def find_troubles(work: UnitOfWork) -> list[str]:
    """Return what ``worker_health`` finds; DATABASE or DISK alone if it cannot even be read."""
    try:
        return worker_health.find_troubles(work)
    except SQLAlchemyError as error:
        return [trouble_of(error)]


def trouble_of(error: SQLAlchemyError) -> str:
    """Return DISK if ``error`` says that the disk is full, else DATABASE."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    state = str(getattr(cause, "sqlstate", "") or "")
    return DISK if code in SQLITE_CODES or state.startswith(POSTGRESQL_CLASS) else DATABASE


def _write(app_context: AppContext) -> str:
    """Let the database take new blocks and roll back, and write a file beside it; return the trouble or ""."""
    try:
        with Session(app_context.engine) as session:
            _take_blocks(session, app_context.clock())
            session.rollback()
        for folder in _folders(app_context):
            _write_file(folder)
    except SQLAlchemyError as error:
        return trouble_of(error)
    except OSError:
        return DISK
    return ""


def _take_blocks(session: Session, now: datetime) -> None:
    if session.get_bind().dialect.name != "postgresql":
        session.execute(insert(Heartbeat).values(name="x" * PROBE_SIZE, at=now))
        return
    try:
        # Kept by nothing: the transaction is rolled back.
        rows = "SELECT repeat('x', 1000) FROM generate_series(1, 64)"
        session.execute(text(f"CREATE TEMPORARY TABLE space_probe AS {rows}"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != NOT_ALLOWED:
            raise


def _write_file(folder: Path) -> None:
    with TemporaryFile(dir=folder) as file:
        file.write(b"x" * PROBE_SIZE)
        file.flush()
        os.fsync(file.fileno())


def _folders(app_context: AppContext) -> list[Path]:
    """Return the folder of the SQLite database, and that of written files."""
    url = app_context.engine.url
    own = [Path(url.database).absolute().parent] if url.drivername.startswith("sqlite") and url.database else []
    return [path for path in (*own, app_context.config.var_dir) if path.is_dir()]


def _is_full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < LEAST_FREE
