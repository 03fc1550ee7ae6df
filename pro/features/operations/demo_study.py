"""The demonstration study: generated participants in a full system, never in production."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import select

from pro.app_context import SYSTEM, Actor, UnitOfWork
from pro.core.schedule.intervals import Interval, subtract_intervals
from pro.errors import NotAllowed
from pro.features.accounts import staff_accounts
from pro.features.accounts.passwords import HashedSecret
from pro.features.audit import audit_chain
from pro.features.duty_roster import recipients, roster_service
from pro.features.forms import form_issuing
from pro.features.operations import demo_participants
from pro.features.operations.demo_handling import Desk
from pro.features.operations.demo_timeline import Timeline, moved_clock
from pro.features.participants.treatment_dates import local_date
from pro.models import Participant, Shift, StaffMember

PLAN = "npc_reirradiation"
PASSWORD = "demonstration"  # noqa: S105  printed when the demonstration starts
STAFF = (
    ("nurse@example.org", "周敏", "nurse", "zh_Hans"),
    ("investigator@example.org", "刘洋", "investigator", "zh_Hans"),
    ("coordinator@example.org", "Chen Jie", "coordinator", "en"),
    ("monitor@example.org", "Li Qiang", "monitor", "en"),
    ("nurse2@example.org", "孙丽", "nurse", "zh_Hans"),
    ("statistician@example.org", "Wang Lin", "statistician", "en"),
    ("administrator@example.org", "赵军", "administrator", "zh_Hans"),
)
# The participants whose check-ins get links: Chinese, English.
LINKED_PARTICIPANTS = ("NC-001", "NC-002")
# The two nurses are on call in alternate weeks for a year; one night next week is a gap.
WEEKS = 52
SET_UP = time(10)
GAP_DAYS, GAP_FROM, GAP_UNTIL = 5, time(17, 30), time(8)


@dataclass(frozen=True, slots=True)
class DemoLinks:
    """Links to the check-ins of two participants (Chinese, English), the staff sign-in, and the page that lists all."""

    chinese: str
    english: str
    staff_url: str
    try_url: str
    email: str
    password: str


def is_filled(work: UnitOfWork) -> bool:
    """Return True if the database holds any account."""
    return work.session.scalar(select(StaffMember.id).limit(1)) is not None


def holds_demonstration(work: UnitOfWork) -> bool:
    """Return True if the accounts of the demonstration are in the database."""
    query = select(StaffMember.id).where(StaffMember.email == STAFF[0][0])
    return not work.config.production and work.session.scalar(query) is not None and bool(_linked_participants(work))


def fill_demo_study(work: UnitOfWork) -> None:
    """Create accounts, a duty roster with one gap, and the participants of ``courses.csv`` with all that happened.

    The past is written in the order of time with the clock moved; at the end the audit trail is sealed. Equal for the
    same time, apart from secrets. Raises NotAllowed("demonstration") in production.
    """
    if work.config.production:
        raise NotAllowed("demonstration")
    zone = work.catalogue.plans[PLAN].settings.time_zone
    people = demo_participants.make_people(work, PLAN, local_date(work.now, zone))
    first = min(person.dates.consent for person in people)
    starts = roster_service.to_utc(datetime.combine(first - timedelta(days=1), SET_UP), zone)
    with moved_clock(work, starts) as real:
        password = HashedSecret.of(PASSWORD)
        for email, name, role, language in STAFF:
            staff_accounts.add_staff(work, email, name, role, language, password, own_password=True)
        work.session.flush()
        # The first of each role.
        found = {row.email: row for row in work.session.scalars(select(StaffMember))}
        by_role = {role: found[email] for email, _name, role, _language in reversed(STAFF)}
        _fill_roster(work, [found["nurse@example.org"], found["nurse2@example.org"]], real)
        timeline = Timeline(work, real, zone, by_role, PASSWORD)
        demo_participants.Cohort(timeline, PLAN, Desk(timeline), people).begin()
        timeline.run()
    coordinator = by_role["coordinator"]
    work.actor = Actor("staff", coordinator.id, coordinator.role, coordinator.name)
    for person in _linked_participants(work):
        form_issuing.send_form(work, person, "npc_checkin", by="here")
        form_issuing.send_form(work, person, "qlq_c30", by="here")
    work.actor = SYSTEM
    work.session.flush()
    while audit_chain.seal_entries(work) == audit_chain.BATCH_SIZE:
        work.session.flush()


def make_demo_links(work: UnitOfWork) -> DemoLinks:
    """Return new links to the open check-ins of the two linked participants.

    Links are made each time because none is stored in clear. Raises NotAllowed("demonstration") in production.
    """
    if work.config.production:
        raise NotAllowed("demonstration")
    made = [
        form_issuing.send_form(work, person, "npc_checkin", by="here").link or ""
        for person in _linked_participants(work)
    ]
    base = work.config.base_url
    return DemoLinks(made[0], made[1], f"{base}/staff/", f"{base}/staff/try", STAFF[0][0], PASSWORD)


def _linked_participants(work: UnitOfWork) -> list[Participant]:
    query = select(Participant).where(Participant.plan == PLAN, Participant.participant_number.in_(LINKED_PARTICIPANTS))
    return list(work.session.scalars(query.order_by(Participant.participant_number)))


def _fill_roster(work: UnitOfWork, nurses: list[StaffMember], real: datetime) -> None:
    """Fill the duty roster: the nurses alternate by week, with one night after ``real`` left as a gap."""
    zone = work.catalogue.plans[PLAN].settings.time_zone
    today, first = local_date(real, zone), local_date(work.now, zone)
    gap = Interval(
        roster_service.to_utc(datetime.combine(today + timedelta(days=GAP_DAYS), GAP_FROM), zone),
        roster_service.to_utc(datetime.combine(today + timedelta(days=GAP_DAYS + 1), GAP_UNTIL), zone),
    )
    monday = datetime.combine(first - timedelta(days=first.weekday() + 7), GAP_UNTIL)
    for week in range((today - first).days // 7 + WEEKS):
        starts = monday + timedelta(weeks=week)
        whole = Interval(roster_service.to_utc(starts, zone), roster_service.to_utc(starts + timedelta(weeks=1), zone))
        for place, nurse in zip(recipients.PLACES, (nurses[week % 2], nurses[1 - week % 2]), strict=True):
            for part in subtract_intervals(whole, [gap] if place == recipients.PLACES[0] else []):
                row = Shift(plan=PLAN, staff_id=nurse.id, kind=place, starts_at=part.starts, ends_at=part.ends)
                work.session.add(row)
