"""What participants, staff and time do in a random history, as verbs on today's services, and what came of it.

The only module of the alert model that knows the services. A verb returns whether it was committed: a refusal that a
person can read (``ProError``) changes nothing; any other error is a fault of the program and ends the history.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.errors import ProError
from pro.features.accounts import signatures
from pro.features.adverse_events import gradings
from pro.features.adverse_events.gradings import GradingDraft
from pro.features.alerts import alert_handling, alert_page, alert_service
from pro.features.alerts.evaluation import FREE_TEXT
from pro.features.assessments import answer_service, chat_flow, data_corrections, data_entry
from pro.features.forms import form_state
from pro.features.operations import worker_health
from pro.features.schedule import enrolment
from pro.features.text_messages import incoming_messages, unknown_senders
from pro.features.to_do_list import to_do_list
from pro.models import Alert, Assessment, IncomingMessage, Message, Participant
from tests.support import factories, form_browser
from tests.support.alert_model_site import PARTICIPANTS, STRANGER, AlertSite
from tests.support.alert_rows import AlertRow, MessageRow
from tests.support.factories import PASSWORD, PHONES

_ids = itertools.count(1)
QUIET = {"bleed": 0, "breath": 0, "chest": 0, "palp": 0, "faint": 0, "temp": 0, "swallow": 0, "neuro": 0}
TEXT_PREFIX = "inbound:"


@dataclass(frozen=True, slots=True)
class PageSeen:
    """A page of a case as a member of staff has it open: the alerts that it shows, and who held the case."""

    by: str
    case: str
    ids: tuple[int, ...]
    owner_id: int | None


@dataclass(frozen=True, slots=True)
class Observed:
    """What the program has now."""

    alerts: tuple[AlertRow, ...]
    messages: tuple[MessageRow, ...]
    health: tuple[str, ...]


def _committed(act: Callable[[], object]) -> bool:
    try:
        act()
    except ProError:
        return False
    return True


# --- the participant -------------------------------------------------------------------------------------------------


def form_of(site: AlertSite, name: str) -> str:
    """Return the case of the participant's form."""
    return f"assessment:{site.phones[name].way.assessment_id}"


def participant_answers(site: AlertSite, name: str, item: str, value: int | str) -> bool:
    """Answer one question of the form."""
    return _committed(lambda: site.phones[name].save(**{item: value}))


def participant_takes_back(site: AlertSite, name: str, item: str) -> bool:
    """Delete an answer, so that the question is asked again."""

    def act() -> None:
        phone = site.phones[name]
        with phone.open_session() as (work, here):
            form = form_state.read_form(work, here, phone.language)
            answer_service.withdraw_answer(work, here, form, item, phone.language, channel="chat")

    return _committed(act)


def participant_sends_form(site: AlertSite, name: str) -> bool:
    """Submit the form."""
    return _committed(site.phones[name].submit)


def participant_confirms_advice(site: AlertSite, name: str) -> bool:
    """Press "I understand, carry on" on the emergency advice."""
    return _committed(site.phones[name].advised)


def participant_gets_form(site: AlertSite, name: str) -> bool:
    """Get the next form and press Start."""

    def act() -> None:
        with form_browser.unit_of_work(site.app_context, site.seeded.staff["coordinator"].actor) as work:
            links = factories.form(work, work.session.get_one(Participant, site.seeded.ids[name]))
        site.phones[name] = form_browser.press_start(site.app_context, links, language=PARTICIPANTS[name])

    return _committed(act)


def participant_texts(site: AlertSite, name: str, words: str) -> int:
    """Send a text message; return the number of its row."""
    return _text(site, PHONES[PARTICIPANTS[name]], words)


def stranger_texts(site: AlertSite, words: str) -> int:
    """Send a text message from a number of no participant; return the number of its row."""
    return _text(site, STRANGER, words)


def _text(site: AlertSite, address: str, words: str) -> int:
    with form_browser.unit_of_work(site.app_context) as work:
        row = incoming_messages.receive_message(work, provider_id=f"IN{next(_ids)}", address=address, text=words)
        work.session.flush()
        return row.id


def participant_chats(site: AlertSite, name: str, words: str) -> int:
    """Type words in the chat; return the number of the text's row, or 0 where it has none."""
    phone = site.phones[name]
    try:
        with phone.open_session() as (work, here):
            chat_flow.take_reply(work, here, words, channel="chat", language=phone.language)
            work.session.flush()
            mine = select(IncomingMessage).where(IncomingMessage.assessment_id == here.assessment.id)
            row = work.session.scalar(mine.order_by(IncomingMessage.id.desc()).limit(1))
            new = row is not None and row.received_at == work.now and work.vault.open(row.text_sealed) == words
            return row.id if row is not None and new else 0
    except ProError:
        return 0


def stored_answers(site: AlertSite, name: str) -> dict[str, int]:
    """Return the choices that are stored in the participant's form."""
    with form_browser.unit_of_work(site.app_context) as work:
        form = work.session.get_one(Assessment, site.phones[name].way.assessment_id)
        shape = work.catalogue.instruments[form.instrument]
        found = form_state.current_answers(shape, form_state.answer_rows(work, form.id))
    return {item: value for item, value in found.items() if isinstance(value, int)}


def participant_leaves(site: AlertSite, name: str) -> bool:
    """Withdraw consent."""

    def act() -> None:
        with form_browser.unit_of_work(site.app_context, site.seeded.staff["investigator"].actor) as work:
            person = work.session.get_one(Participant, site.seeded.ids[name])
            enrolment.withdraw_consent(work, person, scope="questions", told="explained")

    return _committed(act)


# --- staff -----------------------------------------------------------------------------------------------------------


def paper_is_entered(site: AlertSite, name: str, given: Mapping[str, int]) -> str:
    """Enter a paper form; return its case, or "" where it was refused."""
    try:
        with form_browser.unit_of_work(site.app_context, site.seeded.staff["on_call"].actor) as work:
            row = data_entry.enter_form(
                work,
                work.session.get_one(Participant, site.seeded.ids[name]),
                "npc_checkin",
                mode="paper",
                answered_by="self",
                answered_at=work.now - timedelta(minutes=5),
                given={**QUIET, **given},
                language=PARTICIPANTS[name],
            )
            return f"assessment:{row.id}"
    except ProError:
        return ""


def answer_is_corrected(site: AlertSite, case: str, item: str, value: int) -> bool:
    """Let the coordinator ask for a correction of a sent form, and the investigator approve it."""

    def act() -> None:
        confirmed_to = site.seeded.staff["coordinator"].id
        with _staff_work(site, "coordinator") as work:
            form = work.session.get_one(Assessment, int(case.partition(":")[2]))
            wish = data_corrections.CorrectionRequest(
                item, value, work.now - timedelta(minutes=1), "phone", confirmed_to, "typing error"
            )
            number = data_corrections.request_correction(work, _proof(work), form, wish).id
        with _staff_work(site, "investigator") as work:
            data_corrections.approve_correction(work, _proof(work), number)

    return _committed(act)


def staff_reads_to_do_list(site: AlertSite, by: str) -> tuple[frozenset[str], frozenset[int]]:
    """Return the cases on the to-do list, loud ones only where they wait, and the texts of strangers."""
    with _staff_work(site, by) as work:
        shown = to_do_list.read_to_do_list(work, site.seeded.staff[by].language)
        texts = unknown_senders.quarantined_texts(work)
        return frozenset(case.source for case in shown.unacknowledged), frozenset(one.text.id for one in texts)


def staff_opens_page(site: AlertSite, by: str, case: str) -> PageSeen | None:
    """Open the page of a case; None if the case has no alert."""
    with _staff_work(site, by) as work:
        newest = select(Alert.id).where(Alert.source == case).order_by(Alert.id.desc()).limit(1)
        number = work.session.scalar(newest)
        if number is None:
            return None
        page = alert_page.alert_page(work, number, site.seeded.staff[by].language)
        return PageSeen(by, case, tuple(page.shown_ids), page.case.owner_id)


def staff_acknowledges(site: AlertSite, page: PageSeen) -> bool:
    """Press Acknowledge."""

    def act() -> None:
        with _staff_work(site, page.by) as work:
            alert_service.acknowledge(work, list(page.ids))

    return _committed(act)


def staff_takes_over(site: AlertSite, page: PageSeen) -> bool:
    """Press Take over; return whether the case has a new owner."""
    done = []

    def act() -> None:
        with _staff_work(site, page.by) as work:
            done.append(alert_handling.take_over_alerts(work, page.case, page.owner_id or 0, page.ids).done)

    return _committed(act) and all(done)


def staff_grades(site: AlertSite, page: PageSeen) -> bool:
    """Sign that there is no adverse event behind the case."""
    done = []

    def act() -> None:
        with _staff_work(site, page.by) as work:
            alert = work.session.scalars(select(Alert).where(Alert.source == page.case).limit(1)).one()
            person = work.session.get_one(Participant, alert.participant_id)
            seen = gradings.newest_grading_id(work, person.id)
            draft = GradingDraft(none_reason="expected", action="seen")
            signed = gradings.sign_grading(
                work, _proof(work), person, draft, seen=seen, case_key=page.case, shown=page.ids
            )
            done.append(signed.done)

    return _committed(act) and all(done)


def staff_closes(site: AlertSite, page: PageSeen) -> bool:
    """Press Close with an outcome; return whether the case was closed."""
    done = []

    def act() -> None:
        with _staff_work(site, page.by) as work:
            done.append(alert_handling.close_alerts(work, page.case, page.ids, "outpatient").why == "")

    return _committed(act) and all(done)


def staff_dismisses(site: AlertSite, by: str, number: int) -> bool:
    """Read a stranger's text on its page and dismiss it."""

    def act() -> None:
        with _staff_work(site, by) as work:
            unknown_senders.unknown_text_page(work, number)
            unknown_senders.dismiss_text(work, number, "another matter")

    return _committed(act)


def _staff_work(site: AlertSite, by: str) -> AbstractContextManager[UnitOfWork]:
    return form_browser.unit_of_work(site.app_context, site.seeded.staff[by].actor)


def _proof(work: UnitOfWork) -> signatures.PasswordProof:
    found = signatures.confirm_password(work, PASSWORD)
    assert isinstance(found, signatures.PasswordProof)
    return found


# --- what the program has --------------------------------------------------------------------------------------------


def observe(site: AlertSite) -> Observed:
    """Read alerts, messages and /health."""
    with _staff_work(site, "on_call") as work:
        rows = list(work.session.scalars(select(Alert).order_by(Alert.id)))
        alerts = tuple(_alert_row(row) for row in rows)
        messages = _message_rows(site, work, {row.id: row for row in rows})
        health = tuple(worker_health.find_troubles(work))
    return Observed(alerts, messages, health)


def _alert_row(row: Alert) -> AlertRow:
    fixed = (row.source, row.rule, row.level, row.raised_at, json.dumps(row.inputs, sort_keys=True))
    return AlertRow(
        id=row.id,
        case=row.source,
        level=Level(row.level),
        raised_at=row.raised_at,
        fixed=fixed,
        is_text=row.rule == FREE_TEXT,
        acknowledged=row.acknowledged_at is not None,
        closed=row.closed_at is not None,
        superseded=row.superseded_at is not None,
        closed_itself=row.disposition == "closed_itself",
    )


def _message_rows(site: AlertSite, work: UnitOfWork, alerts: Mapping[int, Alert]) -> tuple[MessageRow, ...]:
    places = {account.id: place for place, account in site.seeded.staff.items()}
    found = []
    for row in work.session.scalars(select(Message).where(Message.staff_id.is_not(None)).order_by(Message.id)):
        alert = alerts.get(row.alert_id or 0)
        stranger = row.template.startswith("unknown_sender")
        if alert is None and not stranger:
            continue
        params = json.loads(work.vault.open(row.params_sealed))
        of_texts = alert is not None and alert.source.startswith(TEXT_PREFIX)
        found.append(
            MessageRow(
                id=row.id,
                case=alert.source if alert else "stranger",
                level=Level.of(params["level"]),
                person=places[row.staff_id or 0],
                channel=row.channel,
                queued_at=row.queued_at,
                due_at=row.next_try_at,
                claimed_at=row.claimed_at,
                sent_at=row.sent_at,
                state=_state(row),
                sender="stranger" if stranger else str(alert.participant_id) if alert and of_texts else "",
                of_ladder=not row.dedupe_key.startswith("first:"),
            )
        )
    return tuple(found)


def _state(row: Message) -> str:
    if row.failed_at:
        return "refused"
    if row.dropped_at:
        return "dropped"
    return "told" if row.sent_at else "queued"
