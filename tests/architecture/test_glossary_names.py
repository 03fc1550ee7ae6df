"""Test that stored and published names are the glossary's: tables, columns, keys of data files, messages, rights.

A name that ``docs/glossary.md`` avoids (column "Not"), and a name that was replaced by one of the glossary, cannot come
back.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

import click
from flask import Flask

import pro.catalogue
import pro.models
from pro.catalogue.renamed_keys import RENAMED_KEYS
from pro.catalogue.yaml_source import FilePart
from pro.config import Config
from pro.db import Base
from pro.features.accounts.staff_accounts import RIGHTS
from pro.features.audit.pages.labels import FACTS, SENTENCES
from pro.messaging.message_rendering import MESSAGE_KINDS
from tests.support.commands import load_commands
from tests.support.source_files import ROOT, report

GLOSSARY = ROOT / "docs" / "glossary.md"
CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
ENGLISH = re.compile(r"[A-Za-z][A-Za-z' -]*")
# pytest collects a class ``TestAlert``; the table has the glossary's name.
TABLES = {"WeeklyTestAlert": "test_alert"}
# Former names of tables, columns, message templates, endpoints and rights -> the present ones.
FORMER_NAMES = {
    "attempt": "access_attempt",
    "closing": "alert_closure",
    "task": "call_task",
    "circumstance": "clinical_fact",
    "correction": "data_correction",
    "expected": "expected_form",
    "inbound": "incoming_message",
    "duty": "shift",
    "cohort": "study_figures, study_overview",
    "board": "to_do_list",
    "doors": "access",
    "course": "timeline",
    "judge_next_at": "evaluate_next_at",
    "look_at": "next_due_at",
    "checked_at": "verified_at",
    "checked_by": "verified_by",
    "heard_at": "confirmed_at",
    "heard_how": "confirmed_how",
    "heard_by": "confirmed_to",
    "asked_on": "requested_on",
    "asked_at": "requested_at",
    "asked_by": "requested_by",
    "served_at": "received_at",
    "taken_back_at": "cancelled_at",
    "taken_back_by": "cancelled_by",
    "onset_on": "onset_date",
    "ended_on": "end_date",
    "resolved_at": "closed_at",
    "resolved_by": "closed_by",
    "lifted_at": "unfrozen_at",
    "lifted_by": "unfrozen_by",
    "lift_reason": "unfreeze_reason",
    "ended_why": "end_reason",
    "took": "computing_seconds",
    "drill_id": "test_alert_id",
    "expected_id": "expected_form_id",
    "task_id": "call_task_id",
    "inbound_id": "incoming_message_id",
    "event_id": "audit_entry_id",
    "hits": "red_flags",
    "what": "kind",
    "why": "reason",
    "way": "method",
    "mode": "completion_mode",
    "grade": "ctcae_grade",
    "action": "action_taken",
    "term": "ctcae_term",
    "alert_again": "alert_escalation",
    "alert_digest": "daily_digest",
    "invitation_code": "form_message_code",
    "inbound_unknown": "unknown_sender",
    "see_board": "see_to_do_list",
    "see_cohort": "see_study_overview",
    "see_drill": "see_test_alert",
    "confirm_drill": "confirm_test_alert",
    "check_answers": "verify_answers",
    "see_events": "see_adverse_events",
    "mail_from": "email_from",
}
# Names that the glossary avoids for one concept, and why they may stand here for another.
ALLOWED = {
    "action": "the action that an audit entry records",
    "change": "an endpoint that changes an account, a roster, a date or an event",
    "end": "the end of a range in an instrument or a visit schedule",
    "form": "one questionnaire issued to one participant",
    "freeze": "the reversible freeze of a record; the database lock is another thing",
    "holder": "the holder of a licence",
    "invitation": "the invitation of staff; a form message is another thing",
    "name": "the name of a member of staff, a fact, a heartbeat or a CTCAE term, never of a participant",
    "number": "the number of an anchor, a visit or a test alert; a score is another thing",
    "numbers": "the numbers of an anchor at which a visit takes place",
    "plan": "the plan file that a row belongs to",
    "question": "the wording of an item, and the text message that asks it",
    "serious": "seriousness of an adverse event, yes or no",
    "step": "the step of an escalation or of a reminder",
    "subject": "the line of an email; the table and the row that an audit entry or a signature is about",
    "text": "what was typed or sent, as a value",
    "try": "the demonstration's page of sign-ins, called “Try it”",
    "words": "the words of a lexicon",
}


def avoided_names() -> dict[str, str]:
    """Return name -> the term to use, from the column "Not" of the glossary and from FORMER_NAMES."""
    found = dict(FORMER_NAMES)
    for line in GLOSSARY.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("| ") or len(cells) < 5 or cells[0] == "English":
            continue
        for phrase in re.split(r"[,;]", re.sub(r"\([^)]*\)", "", cells[4])):
            if ENGLISH.fullmatch(phrase := phrase.strip().strip('"')):
                found.setdefault(re.sub(r"[' -]+", "_", phrase.lower()), cells[0])
    return found


def import_all(package: ModuleType) -> None:
    """Import every module of ``package``, so that all its classes exist."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)


def parts_of(part: type[FilePart]) -> Iterator[type[FilePart]]:
    """Yield every subclass of ``part``."""
    for below in part.__subclasses__():
        yield below
        yield from parts_of(below)


def data_keys() -> Iterator[tuple[str, str]]:
    """Yield (key, where it stands) of plan, instrument, wording, lexicon, term and gateway files."""
    import_all(pro.catalogue)
    for part in set(parts_of(FilePart)):
        for name, field in part.model_fields.items():
            yield field.alias or name, f"key of {part.__module__}.{part.__name__}"


def stored_names() -> Iterator[tuple[str, str]]:
    """Yield (name, where it stands) of tables, columns, audit actions and facts, and message templates."""
    import_all(pro.models)
    for table in Base.metadata.sorted_tables:
        yield table.name, "table"
        yield from ((column.name, f"column of {table.name}") for column in table.columns)
    for action in SENTENCES:
        yield from ((part, f"audit action {action}") for part in action.split("."))
    yield from ((fact, "audit fact") for fact in FACTS)
    yield from ((kind, "message template") for kind in MESSAGE_KINDS)


def published_names(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield (name, where it stands) of endpoints, rights, settings and commands."""
    for endpoint in app.view_functions:
        yield from ((part, f"endpoint {endpoint}") for part in endpoint.split("."))
    yield from ((right, "right") for right in set().union(*RIGHTS.values()))
    yield from ((field.name, "setting") for field in dataclasses.fields(Config))
    yield from ((name.replace("-", "_"), "command") for name in commands_of(load_commands(app)))


def commands_of(group: click.Group) -> Iterator[str]:
    """Yield the name of every command below ``group``, hidden ones too."""
    for name, command in group.commands.items():
        yield name
        if isinstance(command, click.Group):
            yield from commands_of(command)


def faults_of(names: Iterator[tuple[str, str]]) -> list[str]:
    """Return one line for each name that the glossary avoids and that is not allowed here."""
    avoided = avoided_names()
    return [
        f"{where}: “{name}”; the glossary says “{avoided[name]}”"
        for name, where in sorted(set(names))
        if name in avoided and name not in ALLOWED
    ]


def test_no_key_of_a_data_file_is_a_word_that_the_glossary_avoids() -> None:
    assert len(set(data_keys())) > 150
    assert not faults_of(data_keys()), report(faults_of(data_keys()))


def test_no_stored_name_is_a_word_that_the_glossary_avoids() -> None:
    assert len(set(stored_names())) > 400
    assert not faults_of(stored_names()), report(faults_of(stored_names()))


def test_no_published_name_is_a_word_that_the_glossary_avoids(app: Flask) -> None:
    assert len(set(published_names(app))) > 200
    assert not faults_of(published_names(app)), report(faults_of(published_names(app)))


def test_a_former_key_of_a_data_file_does_not_come_back() -> None:
    # Keys that have another meaning in other files.
    elsewhere = {
        "pro.catalogue.plan_files.pre_dose.PreDoseSummaryFile": {"stops"},
        "pro.catalogue.term_files.TermsFile": {"terms"},
        "pro.catalogue.term_files.TermsWordsFile": {"terms"},
    }
    back = [
        f"{where}: “{key}”; it is called “{RENAMED_KEYS[key]}”"
        for key, where in sorted(set(data_keys()))
        if key in RENAMED_KEYS and key not in elsewhere.get(where.removeprefix("key of "), set())
    ]
    assert not back, report(back)


def test_every_table_has_the_name_of_its_class_and_every_column_that_of_its_attribute() -> None:
    import_all(pro.models)
    wrong = []
    for mapper in Base.registry.mappers:
        name = mapper.class_.__name__
        expected = TABLES.get(name, CAPITAL.sub("_", name).lower())
        if mapper.local_table.description != expected:
            wrong.append(f"{name}: the table is {mapper.local_table.description}, not {expected}")
        wrong += [
            f"{name}.{attribute.key}: the column is {attribute.columns[0].key}"
            for attribute in mapper.column_attrs
            if attribute.key != attribute.columns[0].key
        ]
    assert not wrong, report(wrong)


def test_names_that_the_glossary_avoids_would_be_found() -> None:
    names = ("study_number", "ladder", "calendar", "readers", "drill", "told", "place", "judge", "mail", "taken_back")
    assert len(faults_of((name, "here") for name in names)) == len(names)
    assert not faults_of((name, "here") for name in ("participant_number", "escalation_steps", "test_alert", "email"))


def test_every_exception_is_needed(app: Flask) -> None:
    every = {name for names in (data_keys(), stored_names(), published_names(app)) for name, _where in names}
    assert not sorted(set(ALLOWED) - (every & set(avoided_names()))), "take these out"
