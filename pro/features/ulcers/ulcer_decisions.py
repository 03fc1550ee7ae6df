"""Sign an investigator's decision about an ulcer, the response at 50 Gy, or the study.

A decision is a record only: it changes no other data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from pro.app_context import UnitOfWork
from pro.core.study_plan import StudyPlan
from pro.errors import BadData, NotAllowed
from pro.features.accounts import signatures, staff_accounts
from pro.features.accounts.signatures import CredentialRefusal, PasswordProof
from pro.features.ulcers import ulcer_cases
from pro.models import Participant, SignedDecision
from pro.models.ulcer import DECISION_CHOICES, DECISION_SUBJECTS

ABOUT_STUDY = "study"
LOCK_KEY = 7_310_010


def sign_participant_decision(
    work: UnitOfWork,
    participant: Participant,
    about: str,
    choice: str,
    reason: str,
    password: str | PasswordProof,
    seen: str,
) -> SignedDecision | CredentialRefusal:
    """Sign a decision about one participant.

    ``about``: ulcer or response. ``password``: as typed, or the proof that it was checked. ``seen``: the digest that
    the page showed. Returns a CredentialRefusal for a wrong password. Raises BadData("decision", fields=...) for
    missing values, NotAllowed("stale_page") if anything that the page showed has changed, and
    NotAllowed("right_missing") for anyone but an investigator.
    """
    work.lock(participant)
    shown = ulcer_cases.shown_of_case(ulcer_cases.read_case(work, participant))
    fields = {"about": "" if about in DECISION_SUBJECTS and about != ABOUT_STUDY else "unknown"}
    plan = work.catalogue.shown_plan(participant.plan)
    return _sign_decision(work, plan, participant.id, fields, (about, choice, reason.strip()), password, seen, shown)


def sign_study_decision(
    work: UnitOfWork, plan: StudyPlan, choice: str, reason: str, password: str, seen: str
) -> SignedDecision | CredentialRefusal:
    """Sign a decision about the whole study.

    Returns and raises as ``sign_participant_decision``.
    """
    if work.app_context.engine.dialect.name == "postgresql":
        work.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    overview = ulcer_cases.read_overview(work, plan)
    shown = ulcer_cases.shown_of_study(plan, overview.cases, overview.reading, overview.decisions)
    return _sign_decision(work, plan, None, {}, (ABOUT_STUDY, choice, reason.strip()), password, seen, shown)


def _sign_decision(
    work: UnitOfWork,
    plan: StudyPlan,
    participant_id: int | None,
    fields: Mapping[str, str],
    said: tuple[str, str, str],
    password: str | PasswordProof,
    seen: str,
    shown: dict[str, Any],
) -> SignedDecision | CredentialRefusal:
    """Check right, values, password and page state, then store the decision."""
    about, choice, reason = said
    if not staff_accounts.has_right(work.actor.role, "decide"):
        raise NotAllowed("right_missing")
    problems = {
        **fields,
        "choice": "" if choice in DECISION_CHOICES else "decision_choice",
        "reason": "" if reason else "decision_reason",
        "password": "" if password else "password_needed",
    }
    wrong = {name: why for name, why in problems.items() if why}
    if wrong:
        raise BadData("decision", fields=wrong)
    confirmed = password if isinstance(password, PasswordProof) else signatures.confirm_password(work, password)
    if isinstance(confirmed, CredentialRefusal):
        return confirmed
    if seen != ulcer_cases.digest(shown):
        raise NotAllowed("stale_page")
    return _store_decision(
        work,
        confirmed,
        SignedDecision(
            plan=plan.id,
            participant_id=participant_id,
            about=about,
            choice=choice,
            reason=reason,
            seen=shown,
            made_at=work.now,
            made_by=confirmed.staff_id,
        ),
    )


def _store_decision(work: UnitOfWork, confirmed: PasswordProof, row: SignedDecision) -> SignedDecision:
    """Store a decision with its audit entry and signature."""
    work.session.add(row)
    new = {"about": row.about, "choice": row.choice, "seen": ulcer_cases.digest(row.seen)}
    work.record("signed_decision.made", row, participant_id=row.participant_id, new=new, reason=row.reason)
    content = ulcer_cases.signed_content(row)
    signatures.sign(
        work, confirmed, "decided", row, content, ulcer_cases.SIGNED_SHAPES, participant_id=row.participant_id
    )
    return row
