"""Application context and unit of work. Only this module reads the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from pro.catalogue import Catalogue
from pro.config import Config
from pro.db import Base, Vault, read_only
from pro.i18n import Catalogs
from pro.models import AuditEntry

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present time, with time zone UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Actor:
    """The acting person or program.

    ``kind``: participant, staff or system. ``role``: the staff role; for others the same as ``kind``, or empty.
    """

    kind: str
    id: int | None = None
    role: str = ""
    name: str = ""


SYSTEM = Actor("system", None, "system")


@dataclass(frozen=True, slots=True)
class AppContext:
    """What is made once a process: settings, data files, words, database, keys and the clock."""

    config: Config
    catalogue: Catalogue
    catalogs: Catalogs
    engine: Engine
    vault: Vault
    clock: Clock = utc_now

    @property
    def reader(self) -> Engine:
        """Return the engine for work that only reads."""
        return read_only(self.engine)

    def unit_of_work(self, session: Session, actor: Actor = SYSTEM) -> UnitOfWork:
        """Start a unit of work on ``session``, with the present time as its ``now``."""
        return UnitOfWork(session=session, now=self.clock(), actor=actor, app_context=self)


@dataclass(slots=True)
class UnitOfWork:
    """One transaction: session, present time, actor and application context.

    Services take it as their first argument, change rows and never commit.
    """

    session: Session
    now: datetime
    actor: Actor
    app_context: AppContext

    @property
    def catalogue(self) -> Catalogue:
        """Return the data files, read-only."""
        return self.app_context.catalogue

    @property
    def vault(self) -> Vault:
        """Return the vault that encrypts and decrypts identifiers."""
        return self.app_context.vault

    @property
    def config(self) -> Config:
        """Return the settings, read-only."""
        return self.app_context.config

    def lock(self, row: Base) -> None:
        """Lock ``row`` until this work ends, and reload it.

        On SQLite this only flushes: there is one writer at a time.
        """
        # Reloading would discard changes of this work that are not written yet.
        self.session.flush()
        if self.app_context.engine.dialect.name == "postgresql":
            # key_share lets others insert rows that refer to this one; a full lock could lead to a deadlock.
            self.session.refresh(row, with_for_update={"key_share": True})

    def record(
        self,
        action: str,
        subject: Base,
        *,
        participant_id: int | None = None,
        old: Any = None,
        new: Any = None,
        reason: str = "",
    ) -> AuditEntry:
        """Write one audit entry about the row ``subject`` and return it.

        ``old`` and ``new`` are values that JSON can hold, without anything that identifies a person.
        """
        if getattr(subject, "id", None) is None:
            self.session.flush()
        event = AuditEntry(
            # The time of writing, which may differ from the time that the work is about.
            at=self.app_context.clock(),
            actor=self.actor.kind,
            actor_id=self.actor.id,
            role=self.actor.role or self.actor.kind,
            action=action,
            subject=subject.__tablename__,
            subject_id=getattr(subject, "id", None),
            participant_id=participant_id,
            old=old,
            new=new,
            reason=reason,
        )
        self.session.add(event)
        return event
