"""Build what a test needs with defaults, through the real services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select

from pro import db
from pro.app_context import Actor, AppContext, UnitOfWork
from pro.catalogue import Catalogue
from pro.config import Config
from pro.db import transaction
from pro.features.accounts import signatures, staff_accounts
from pro.features.adverse_events import gradings
from pro.features.adverse_events.gradings import GradingDraft, GradingResult
from pro.features.assessments import answer_service
from pro.features.forms import form_access, form_issuing
from pro.features.forms.form_access import FormSession
from pro.features.participants import clinical_facts
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import enrolment
from pro.i18n import Catalogs
from pro.models import ROLES, Alert, Participant, Shift

PASSWORD = "correct horse battery"
PIN = "2468"
PLAN = "npc_reirradiation"
# Numbers in a valid format; nothing is ever sent to them.
PHONES = {"zh_Hans": "+8613800138000", "en": "+8613900139000"}


@dataclass
class Clock:
    """A clock that stands until it is moved. It starts on a Monday at 09:00 in Shanghai."""

    now: datetime = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the current time."""
        return self.now

    def move(self, **delta: float) -> datetime:
        """Advance by ``timedelta(**delta)`` and return the new time."""
        self.now += timedelta(**delta)
        return self.now


@dataclass(frozen=True, slots=True)
class Account:
    """A staff member who can sign in."""

    id: int
    email: str
    password: str
    name: str
    role: str
    language: str

    @property
    def actor(self) -> Actor:
        """Return this staff member as an actor."""
        return Actor("staff", self.id, self.role, self.name)


@dataclass(frozen=True, slots=True)
class FormLinks:
    """An issued form with its link and code."""

    assessment_id: int
    ref: str
    url: str
    path: str
    token: str
    code: str


@dataclass(frozen=True, slots=True)
class EnrolledParticipant:
    """A participant with a check-in and a QLQ-C30 to answer."""

    id: int
    participant_number: str
    language: str
    phone: str
    checkin: FormLinks
    qlq: FormLinks


@dataclass(frozen=True, slots=True)
class Study:
    """A small study. ``staff`` by role; the nurse is on call."""

    staff: Mapping[str, Account]
    chinese: EnrolledParticipant
    english: EnrolledParticipant


def make_app_context(
    engine: Engine, catalogue: Catalogue, catalogs: Catalogs, config: Config, clock: Clock
) -> AppContext:
    """Build an application context without settings from the environment."""
    vault = db.Vault(config.data_keys, config.lookup_key)
    return AppContext(config=config, catalogue=catalogue, catalogs=catalogs, engine=engine, vault=vault, clock=clock)


def account(
    work: UnitOfWork,
    role: str = "nurse",
    *,
    email: str = "",
    name: str = "",
    language: str = "en",
    password: str = PASSWORD,
    own_password: bool = True,
) -> Account:
    """Create an account; without ``own_password`` the password must be changed at sign-in."""
    address = email or f"{role}@example.org"
    made = staff_accounts.add_staff(
        work, address, name or role.capitalize(), role, language, password, own_password=own_password
    )
    work.session.flush()
    return Account(made.id, made.email, password, made.name, role, language)


def duty(work: UnitOfWork, person: Account, place: str = "on_call", *, days: float = 60, plan: str = PLAN) -> Shift:
    """Put ``person`` on the duty roster in ``place``, from an hour ago."""
    row = Shift(
        plan=plan,
        staff_id=person.id,
        kind=place,
        starts_at=work.now - timedelta(hours=1),
        ends_at=work.now + timedelta(days=days),
    )
    work.session.add(row)
    work.session.flush()
    return row


def participant(
    work: UnitOfWork,
    participant_number: str = "NPC-001",
    *,
    language: str = "zh_Hans",
    phone: str | None = None,
    pd1: bool | None = True,
    plan: str = PLAN,
    pin: str = PIN,
    asked: bool = False,
) -> Participant:
    """Enrol a participant.

    ``pd1``: exposed to anti-PD-1 (None: unknown); ``asked``: run the schedule job, so that form messages are queued.
    """
    zone_today = local_date(work.now, work.catalogue.plans[plan].settings.time_zone)
    made = enrolment.enrol(
        work,
        plan=plan,
        participant_number=participant_number,
        phone=PHONES[language] if phone is None else phone,
        language=language,
        pin=pin,
        consented_on=zone_today,
        consent_version="1.0",
        health_data=True,
        # The participants of one language share a phone.
        shared_phone=True,
    )
    if pd1 is not None:
        clinical_facts.set_fact(work, made.id, "pd1_exposed", pd1, reason="enrolment")
    if not asked:
        made.next_due_at = None
    return made


def form(work: UnitOfWork, person: Participant, instrument: str = "npc_checkin") -> FormLinks:
    """Issue ``instrument`` to ``person`` now, with a link and a code, without a message."""
    issued = form_issuing.send_form(work, person, instrument, by="here")
    assert issued.link is not None
    assert issued.code is not None
    path = issued.link.removeprefix(work.config.base_url)
    return FormLinks(
        issued.assessment.id, issued.assessment.ref, issued.link, path, path.rpartition("/")[2], issued.code
    )


def open_form_session(
    work: UnitOfWork, way: FormLinks, *, answered_by: str = "self", language: str = "zh_Hans"
) -> FormSession:
    """Return a form session in which Start was pressed on ``way``."""
    assessment, _person = form_access.open_link(work, way.token)
    secret = form_access.begin_session(
        work, assessment, identified_by="link", answered_by=answered_by, device="phone", language=language
    )
    return form_access.session_of(work, way.ref, secret)


def save_answers(
    work: UnitOfWork, here: FormSession, *, language: str = "zh_Hans", **values: int | str | tuple[str, ...] | None
) -> None:
    """Save each item's value on its page, in the order given."""
    for item, value in values.items():
        page = work.catalogue.instruments[here.assessment.instrument].page_of(item)
        answer_service.save_answers(work, here, page.id, {item: value}, language)


def shown_alerts(work: UnitOfWork, case_key: str) -> list[int]:
    """Return the ids of all alerts of a case, as its page shows them."""
    return list(work.session.scalars(select(Alert.id).where(Alert.source == case_key).order_by(Alert.id)))


def sign_grading(app_context: AppContext, investigator: Account, participant_id: int, **said: Any) -> GradingResult:
    """Sign a clinician's grading.

    Default: pharyngeal necrosis of grade 3 from today on.
    """
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session, investigator.actor)
        person = session.get_one(Participant, participant_id)
        proof = signatures.confirm_password(work, PASSWORD)
        if not isinstance(proof, signatures.PasswordProof):
            raise AssertionError(proof)
        today = local_date(work.now, person.time_zone)
        whole: dict[str, Any] = {
            "grade": 3,
            "attribution": ("radiotherapy",),
            "serious": False,
            "not_serious": "known before",
            "from_on": today,
        } | said
        if "event_id" not in whole:
            whole = {"term": "pharyngeal_necrosis", "onset_date": whole["from_on"]} | whole
        return gradings.sign_grading(
            work, proof, person, GradingDraft(**whole), seen=gradings.newest_grading_id(work, person.id)
        )


def enrol_with_forms(work: UnitOfWork, participant_number: str, language: str) -> EnrolledParticipant:
    """Enrol a participant with both forms."""
    person = participant(work, participant_number, language=language)
    return EnrolledParticipant(
        person.id,
        participant_number,
        language,
        PHONES[language],
        form(work, person, "npc_checkin"),
        form(work, person, "qlq_c30"),
    )


def study(app_context: AppContext) -> Study:
    """Build and commit a small study.

    One staff member of each role, the nurse on call, a Chinese and an English participant with both forms.
    """
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        staff = {role: account(work, role, language="zh_Hans" if role == "nurse" else "en") for role in ROLES}
        duty(work, staff["nurse"])
        work.actor = staff["coordinator"].actor
        return Study(staff, enrol_with_forms(work, "NPC-001", "zh_Hans"), enrol_with_forms(work, "NPC-002", "en"))
