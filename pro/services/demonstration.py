"""The demonstration study: invented people on the real machinery, made only outside production."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from pro.core.instrument import Value
from pro.errors import NotAllowed
from pro.models import Duty, Participant, Staff
from pro.services import access, answering, enrolment, forms, issuing, staffing
from pro.work import SYSTEM, Actor, Work

PLAN = "npc_reirradiation"
PASSWORD = "demonstration"  # noqa: S105  shown to everybody who starts the demonstration
STAFF = (
    ("nurse@example.org", "周敏", "nurse", "zh_Hans"),
    ("investigator@example.org", "刘洋", "investigator", "zh_Hans"),
    ("coordinator@example.org", "Chen Jie", "coordinator", "en"),
    ("monitor@example.org", "Li Qiang", "monitor", "en"),
)
PARTICIPANTS = (
    ("NC-001", "zh_Hans", "+8613800000001"),
    ("NC-002", "en", "+8613800000002"),
    ("NC-003", "zh_Hans", "+8613800000003"),
)
BLOCKS = "bleed breath chest palp faint temp swallow neuro nosebleed7 odor discharge headache new_cn sores"
QUIET: dict[str, Value] = dict.fromkeys(BLOCKS.split(), 0)


@dataclass(frozen=True, slots=True)
class Links:
    """The two participants' links, Chinese and English, and how staff get in."""

    chinese: str
    english: str
    staff_url: str
    email: str
    password: str


def is_filled(work: Work) -> bool:
    """True once there is any account."""
    return work.session.scalar(select(Staff.id).limit(1)) is not None


def fill(work: Work) -> None:
    """Make the study: four accounts, a nurse on call for a year, three participants, one of them with an ulcer sign."""
    if work.config.production:
        raise NotAllowed("demonstration")
    for email, name, role, language in STAFF:
        staffing.add_staff(work, email, name, role, language, PASSWORD)
    work.session.flush()
    nurse, _investigator, coordinator = work.session.scalars(select(Staff).order_by(Staff.id).limit(3))
    start, end = work.now - timedelta(days=30), work.now + timedelta(days=365)
    work.session.add(Duty(plan=PLAN, staff_id=nurse.id, place="on_call", starts_at=start, ends_at=end))
    work.actor = Actor("staff", coordinator.id, coordinator.role, coordinator.name)
    people = [_enrol(work, *who) for who in PARTICIPANTS]
    for person in people[:2]:
        issuing.send_form(work, person, "npc_checkin", by="here")
        issuing.send_form(work, person, "qlq_c30", by="here")
    _story(work, people[2])


def links(work: Work) -> Links:
    """Fresh links into the open check-ins of the first two participants (a link is kept nowhere in clear)."""
    if work.config.production:
        raise NotAllowed("demonstration")
    made = []
    for number, _language, _phone in PARTICIPANTS[:2]:
        query = select(Participant).where(Participant.plan == PLAN, Participant.study_number == number)
        issued = issuing.send_form(work, work.session.scalars(query).one(), "npc_checkin", by="here")
        made.append(issued.link or "")
    return Links(made[0], made[1], f"{work.config.base_url}/staff/", STAFF[0][0], PASSWORD)


def _enrol(work: Work, number: str, language: str, phone: str) -> Participant:
    consented = (work.now - timedelta(days=20)).date()
    return enrolment.enrol(
        work, plan=PLAN, study_number=number, phone=phone, language=language, pin="2468", consented_on=consented
    )


def _story(work: Work, person: Participant) -> None:
    """A quiet check-in ten days ago; yesterday a clear smell with a moderate headache."""
    now, staff = work.now, work.actor
    signs: dict[str, Value] = {"odor": 2, "headache": 2, "headache_int": 2}
    for days, said in ((10, {}), (1, signs)):
        work.now = now - timedelta(days=days)
        issued = issuing.send_form(work, person, "npc_checkin", by="here")
        secret = access.begin(
            work, issued.assessment, identified_by="link", answered_by="self", device="phone", language=person.language
        )
        work.session.flush()
        sitting = access.sitting(work, issued.assessment.ref, secret)
        work.actor = Actor("participant", person.id)
        _answer(work, sitting, QUIET | said)
        answering.submit(work, sitting, person.language)
        work.session.flush()
        work.actor = staff
    work.now, work.actor = now, SYSTEM


def _answer(work: Work, sitting: access.Sitting, said: dict[str, Value]) -> None:
    """Answer page after page: what ``said`` names, nothing ticked on lists, the rest skipped."""
    while True:
        form = forms.read(work, sitting, sitting.participant.language)
        page = form.page(form.next_position())
        if page is None:
            return
        given = {name: () if form.instrument.items[name].kind == "list" else said.get(name) for name in page.items}
        answering.save(work, sitting, page.id, given, sitting.participant.language)
        work.session.flush()
