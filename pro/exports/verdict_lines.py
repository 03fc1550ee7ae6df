"""Evaluate alert rules on cases in JSON lines, without a database (docs/domain.md 3.4).

A case is ``{"id", "answers", "baseline", "previous", "context", "submitted", ...}``. In ``answers`` null means asked
but missing; an absent item means not reached. Optional: ``instrument`` (default: the first of the plan), ``idle``
(minutes since the last answer) and ``recent`` (item -> hours since it was answered). Other keys are ignored. A whole
number may be written 2 or 2.0. Any other value that is not a code of its item (true, "2", 2.5) makes the line an error,
which has no level.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from pro.core.questionnaire.instrument import Instrument, Item, Value
from pro.core.questionnaire.scoring import score
from pro.core.study_plan import StudyPlan
from pro.core.triage.verdict import ULCER_STATUSES, WEIGHT, ClinicalContext, FormCase, evaluate_rules

LONGEST_LINE = 1_000_000
_LONGEST_SHOWN = 40
_NOTHING: Mapping[str, object] = {}


class CaseRefused(ValueError):
    """A case cannot be evaluated. The text is a sentence that says what to correct."""


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """One line of the output, without line end. ``bad``: it has an error instead of a level."""

    text: str
    bad: bool = False


def verdict_lines(
    plan: StudyPlan, instruments: Mapping[str, Instrument], lines: Iterable[bytes]
) -> Iterator[VerdictLine]:
    """Yield the verdict or the error of each case in ``lines``.

    ``lines``: UTF-8 JSON, one object a line; blank lines are skipped. Raises nothing for an invalid case.
    """
    for number, raw in enumerate(lines, 1):
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if not raw.strip():
            continue
        case_id: object = None
        try:
            reader = _CaseReader()
            row = reader.read(raw.rstrip())
            case_id = _identity(row)
            if reader.problems:
                raise CaseRefused(reader.problems[0])
            instrument = _instrument(row, plan, instruments)
            verdict = evaluate_rules(plan, instrument, _case(row, instrument, instruments[plan.instruments[0]]))
        except CaseRefused as refused:
            yield VerdictLine(_json({"id": case_id, "error": f"line {number}: {refused}."}), bad=True)
            continue
        yield VerdictLine(
            _json(
                {
                    "id": case_id,
                    "level": verdict.level.word,
                    "fired": list(verdict.fired),
                    "unresolved": list(verdict.unresolved),
                }
            )
        )


def _json(value: object) -> str:
    # A lone surrogate of the input is written as an escape, because it has no UTF-8 form.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")


class _CaseReader:
    """Reads one line. ``problems``: errors after which the id of the case can still be read."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def read(self, raw: bytes) -> dict[str, object]:
        """Return the object on the line. Raises CaseRefused if there is none."""
        if len(raw) > LONGEST_LINE:
            raise CaseRefused(f"this line is longer than {LONGEST_LINE:,} bytes; put one case on a line")
        try:
            row = json.loads(
                raw.decode("utf-8"),
                parse_float=self.number,
                parse_int=self.number,
                parse_constant=self.constant,
                object_pairs_hook=self.pairs,
            )
        except UnicodeDecodeError as problem:
            raise CaseRefused(f"byte {problem.start + 1} is not UTF-8; save the file as UTF-8") from problem
        except json.JSONDecodeError as problem:
            raise CaseRefused(f"this is not JSON at column {problem.colno} ({problem.msg})") from problem
        except RecursionError as problem:
            raise CaseRefused("this is nested too deeply; a case is a flat object") from problem
        if not isinstance(row, dict):
            raise CaseRefused('a case must be a JSON object, as in {"id": "A1", "answers": {"bleed": 0}}')
        return row

    def number(self, text: str) -> int | Decimal:
        try:
            return Decimal(text) if any(sign in text for sign in ".eE") else int(text)
        except (ValueError, ArithmeticError):
            self.problems.append(f"the number {_cut(text)} is too long to be read")
            return 0

    def constant(self, word: str) -> int:
        self.problems.append(f"{word} is not a number here; write null for a missing value")
        return 0

    def pairs(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            times = Counter(name for name, _ in pairs)
            double = next(name for name in times if times[name] > 1)
            self.problems.append(f"“{_cut(double)}” appears twice; keep one")
        return found


def _identity(row: Mapping[str, object]) -> str | int:
    given = row.get("id")
    if isinstance(given, str) or (isinstance(given, int) and not isinstance(given, bool)):
        return given
    raise CaseRefused("a case needs an “id”, a text or a whole number")


def _instrument(row: Mapping[str, object], plan: StudyPlan, instruments: Mapping[str, Instrument]) -> Instrument:
    name = row.get("instrument", plan.instruments[0])
    if not isinstance(name, str) or name not in plan.instruments:
        raise CaseRefused(
            f"instrument {_shown(name)} is not evaluated by {plan.id}; it has {', '.join(plan.instruments)}"
        )
    return instruments[name]


def _case(row: Mapping[str, object], instrument: Instrument, check_in: Instrument) -> FormCase:
    if "answers" not in row:
        raise CaseRefused("“answers” is missing; a form without any answer has {} there")
    answers = _answers(row, "answers", instrument)
    baseline = _answers(row, "baseline", instrument)
    submitted = row.get("submitted", True)
    if not isinstance(submitted, bool):
        raise CaseRefused(f"submitted is true or false, never {_shown(submitted)}")
    return FormCase(
        answers=answers,
        baseline=baseline,
        previous=_answers(row, "previous", instrument),
        context=_context(_mapping(row, "context"), check_in),
        submitted=submitted,
        idle=_whole_number("idle", row.get("idle", 0)),
        scores=_scores(instrument, answers),
        baseline_scores=_scores(instrument, baseline),
        recent=_recent(_mapping(row, "recent"), instrument, check_in),
    )


def _scores(instrument: Instrument, answers: Mapping[str, Value | None]) -> dict[str, float | None]:
    if not instrument.scales:
        return {}
    return {scale: found.value for scale, found in score(instrument, answers).items()}


def _mapping(row: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = row.get(name)
    if found is None:
        return _NOTHING
    if not isinstance(found, dict):
        raise CaseRefused(f'{name} must be an object, as in {{"bleed": 0}}, never {_shown(found)}')
    return found


def _answers(row: Mapping[str, object], name: str, instrument: Instrument) -> dict[str, Value | None]:
    answers: dict[str, Value | None] = {}
    for item_id, value in _mapping(row, name).items():
        item = _item(f"{name}.", item_id, instrument)
        answers[item_id] = None if value is None else _answer(f"{name}.{item_id}", value, item)
    return answers


def _item(where: str, name: str, instrument: Instrument) -> Item:
    found = instrument.items.get(name)
    if found is None:
        raise CaseRefused(f"{where}{_cut(name)} is not an item of {instrument.id}; correct the name or take it out")
    return found


def _answer(where: str, value: object, item: Item) -> Value:
    if item.kind == "choice":
        # Compared without int(): 1e999999 would become a number with a million digits.
        if isinstance(value, int | Decimal) and not isinstance(value, bool) and value in item.codes:
            return int(value)
        codes = ", ".join(map(str, item.codes))
        raise CaseRefused(f"{where} is {_shown(value)}; its codes are {codes}, and null is a missing answer")
    if item.kind == "list":
        if isinstance(value, list) and all(isinstance(ticked, str) for ticked in value) and item.accepts(tuple(value)):
            return tuple(value)
        raise CaseRefused(f"{where} must be a list of its items, each once, never {_shown(value)}")
    if isinstance(value, int | Decimal | str) and item.accepts(value):
        return value
    if item.kind == "number":
        raise CaseRefused(f"{where} is {_shown(value)}; it is a number from {item.minimum} to {item.maximum}")
    raise CaseRefused(f"{where} must be a text of at most {item.max_length} characters")


def _context(given: Mapping[str, object], check_in: Instrument) -> ClinicalContext:
    """Return the facts beside the answers (docs/domain.md 3.4.10); null means the default."""
    facts = {name: value for name, value in given.items() if value is not None}
    known = ClinicalContext.__dataclass_fields__
    for name in given:
        if name not in known:
            raise CaseRefused(f"context.{_cut(name)} is not a known fact; known are {', '.join(sorted(known))}")
    weight = facts.get("baseline_weight")
    if weight is not None:
        weight = _answer("context.baseline_weight", weight, check_in.items[WEIGHT])
    status = facts.get("ulcer_status", "none")
    if not isinstance(status, str) or status not in ULCER_STATUSES:
        choices = ", ".join(sorted(ULCER_STATUSES))
        raise CaseRefused(f"context.ulcer_status is {_shown(status)}; it is one of {choices}")
    open_alert = _whole_number("context.open_alert", facts.get("open_alert", 0))
    if open_alert > 3:
        raise CaseRefused(f"context.open_alert is {open_alert}; it is a level from 0 to 3")
    return ClinicalContext(
        pd1_exposed=_truth("context.pd1_exposed", facts.get("pd1_exposed")),
        ulcer_status=status,
        known_stable=_marks(_mapping(facts, "known_stable"), check_in),
        baseline_weight=Decimal(weight) if isinstance(weight, int | Decimal) else None,
        missed_consecutive=_whole_number("context.missed_consecutive", facts.get("missed_consecutive", 0)),
        open_alert=open_alert,
        selfharm_enabled=_truth("context.selfharm_enabled", facts.get("selfharm_enabled")) is True,
    )


def _marks(given: Mapping[str, object], check_in: Instrument) -> dict[str, int]:
    marks: dict[str, int] = {}
    for name, value in given.items():
        where = "context.known_stable."
        item = _item(where, name, check_in)
        marked = _answer(f"{where}{name}", value, item) if item.kind == "choice" else None
        if not isinstance(marked, int):
            raise CaseRefused(f"{where}{name} cannot be marked; only items with codes can")
        marks[name] = marked
    return marks


def _recent(given: Mapping[str, object], *instruments: Instrument) -> dict[str, float]:
    hours: dict[str, float] = {}
    for name, value in given.items():
        if not any(name in instrument.items for instrument in instruments):
            raise CaseRefused(f"recent.{_cut(name)} is not an item of this plan; correct the name or take it out")
        if not isinstance(value, int | Decimal) or isinstance(value, bool) or not 0 <= value <= 1_000_000:
            raise CaseRefused(f"recent.{name} is {_shown(value)}; it is the hours since the item was answered")
        hours[name] = float(value)
    return hours


def _truth(where: str, value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise CaseRefused(f"{where} is {_shown(value)}; it is true, false or null")


def _whole_number(where: str, value: object) -> int:
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and 0 <= value <= 1_000_000:
        number = int(value)
        if number == value:
            return number
    raise CaseRefused(f"{where} is {_shown(value)}; it is a whole number from 0")


def _shown(value: object) -> str:
    """Return ``value`` as JSON, shortened for an error."""
    if isinstance(value, Decimal):
        return _cut(str(value))
    try:
        return _cut(json.dumps(value, ensure_ascii=False, default=str))
    except (RecursionError, ValueError):
        return "something very large"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
