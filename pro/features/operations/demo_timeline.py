"""The moved clock of the demonstration: what happened before now, in the order of time.

Everything runs through the services at the time when it would have happened, in one transaction, so that the visit
schedule, the audit trail, scores, alerts and signatures are real ones.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from pro.app_context import Actor, UnitOfWork
from pro.features.accounts import signatures
from pro.features.accounts.signatures import PasswordProof
from pro.features.duty_roster import roster_service
from pro.features.operations.demo_courses import Course, CourseDates
from pro.features.participants.treatment_dates import local_date
from pro.models import Participant, StaffMember

Act = Callable[[], None]


@dataclass(slots=True)
class Person:
    """A participant with the course; ``row`` once enrolled. ``decided``: visit and instrument of planned answers."""

    course: Course
    dates: CourseDates
    row: Participant | None = None
    decided: set[tuple[str, str]] = field(default_factory=set)

    @property
    def enrolled(self) -> Participant:
        """The row. Raises ValueError before enrolment."""
        if self.row is None:
            raise ValueError("not enrolled")
        return self.row


@dataclass(slots=True)
class Timeline:
    """Acts in the order of time until ``ends``, the real time now.

    ``staff``: by role, the first of each. ``proofs``: role -> proof of the password, which is checked once a role
    because a check takes a tenth of a second.
    """

    work: UnitOfWork
    ends: datetime
    zone: str
    staff: Mapping[str, StaffMember]
    password: str
    proofs: dict[str, PasswordProof] = field(default_factory=dict)
    coming: list[tuple[datetime, int, Act]] = field(default_factory=list)
    added: int = 0

    @property
    def today(self) -> date:
        """The real day, in the study's time zone."""
        return self.local_day(self.ends)

    def moment(self, on: date, hour: int, minute: int = 0) -> datetime:
        """Return a local time of the day ``on`` in UTC."""
        return roster_service.to_utc(datetime.combine(on, time(hour, minute)), self.zone)

    def local_day(self, at: datetime) -> date:
        """Return the day of ``at`` in the study's time zone."""
        return local_date(at, self.zone)

    def add(self, at: datetime, act: Act) -> None:
        """Have ``act`` done at ``at``; what lies after the real time has not happened."""
        if at < self.ends:
            self.added += 1
            heapq.heappush(self.coming, (max(at, self.work.now), self.added, act))

    def run(self) -> None:
        """Do all acts in the order of time, each at its own time."""
        while self.coming:
            at, _number, act = heapq.heappop(self.coming)
            # An act may take minutes itself: time never goes back.
            self.work.now = max(at, self.work.now)
            act()
        self.work.session.flush()

    @contextmanager
    def acting(self, role: str) -> Iterator[UnitOfWork]:
        """Act as the first staff member of a role."""
        person, before = self.staff[role], self.work.actor
        self.work.actor = Actor("staff", person.id, person.role, person.name)
        yield self.work
        self.work.session.flush()
        self.work.actor = before

    def proof(self) -> PasswordProof:
        """Return the proof that the acting staff member typed the demonstration's password."""
        role = self.work.actor.role
        if role not in self.proofs:
            found = signatures.confirm_password(self.work, self.password)
            if not isinstance(found, PasswordProof):
                raise ValueError("the demonstration's own password was refused")
            self.proofs[role] = found
        return self.proofs[role]


@contextmanager
def moved_clock(work: UnitOfWork, starts: datetime) -> Iterator[datetime]:
    """Let the clock of ``work`` show ``work.now``, beginning at ``starts``; yield the real time."""
    real, before, actor = work.now, work.app_context, work.actor
    work.app_context = replace(before, clock=lambda: work.now)
    work.now = starts
    try:
        yield real
    finally:
        work.session.flush()
        work.now, work.app_context, work.actor = real, before, actor


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield every day from ``first`` to ``last``."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
