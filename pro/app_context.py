"""One unit of work: what a service may use, and the only place that reads the clock."""

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
    """Now, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: ``kind`` is participant, staff or system; ``role`` a staff role, or the kind again."""

    kind: str
    id: int | None = None
    role: str = ""
    name: str = ""


SYSTEM = Actor("system", None, "system")


@dataclass(frozen=True, slots=True)
class AppContext:
    """What lives as long as the process: settings, data files, words, database, keys, and the clock."""

    config: Config
    catalogue: Catalogue
    catalogs: Catalogs
    engine: Engine
    vault: Vault
    clock: Clock = utc_now

    @property
    def reader(self) -> Engine:
        """The engine for work that only reads."""
        return read_only(self.engine)

    def unit_of_work(self, session: Session, actor: Actor = SYSTEM) -> UnitOfWork:
        """A unit of work on ``session``, dated now."""
        return UnitOfWork(session=session, now=self.clock(), actor=actor, app_context=self)


@dataclass(slots=True)
class UnitOfWork:
    """Session + now + actor + house. Services take it first, change rows, and never commit."""

    session: Session
    now: datetime
    actor: Actor
    app_context: AppContext

    @property
    def catalogue(self) -> Catalogue:
        """The frozen data files."""
        return self.app_context.catalogue

    @property
    def vault(self) -> Vault:
        """Seals and opens identifiers."""
        return self.app_context.vault

    @property
    def config(self) -> Config:
        """The frozen settings."""
        return self.app_context.config

    def lock(self, row: Base) -> None:
        """Hold ``row`` until this work ends, reading it anew. SQLite has one writer anyway."""
        # Reading anew would throw away what this work has changed and not written yet.
        self.session.flush()
        if self.app_context.engine.dialect.name == "postgresql":
            # Rows that point at this one may be inserted meanwhile: two locks in turn could wait for each other.
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
        """Write one audit event about ``subject`` (a row). ``old`` and ``new`` are JSON-able and hold no identity."""
        if getattr(subject, "id", None) is None:
            self.session.flush()
        event = AuditEntry(
            # When it was written, whatever moment the work is about.
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
