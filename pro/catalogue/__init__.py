"""Read all data files into one read-only catalogue; an invalid file prevents a start.

``read_catalogue`` is called once, at the start. Only this package opens data files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pro.catalogue.closing_days import SiteDays, read_site_days
from pro.catalogue.gateway_file import read_gateway
from pro.catalogue.instrument_files.clinical_importance import read_importance
from pro.catalogue.instrument_files.structure import read_instrument
from pro.catalogue.instrument_files.words import ambiguous_synonyms, read_words
from pro.catalogue.lexicon_files import read_lexicon
from pro.catalogue.plan_files.plan import read_plan
from pro.catalogue.plan_files.plan_words import read_plan_words
from pro.catalogue.plan_files.stopping_rule import check_terms
from pro.catalogue.term_files import read_term_words, read_terms
from pro.catalogue.yaml_source import CatalogueError
from pro.core.clinical.adverse_events import TermList, TermWords
from pro.core.questionnaire.clinical_importance import ClinicalImportance
from pro.core.questionnaire.instrument import Instrument, Words
from pro.core.schedule.anchors import WorkingDays
from pro.core.sms_gateway import SmsGateway
from pro.core.study_plan import PlanWords, StudyPlan
from pro.core.text.red_flag_lexicon import Lexicon
from pro.public_holidays import working_days

__all__ = ["Catalogue", "CatalogueError", "read_catalogue", "read_instruments"]
TERMS_FILE = "ctcae_v5.yaml"
Value = TypeVar("Value")
EMPTY_MAPPING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, repr=False)
class Catalogue:
    """The content of all data files.

    ``instruments``, ``plans``, ``lexicons``: by id. ``words``, ``plan_words``: by (id, language). ``working``: plan id
    -> working days, with the site's own days. ``gateway``: what the site's SMS gateway accepts. ``importance``:
    instrument id -> published thresholds of clinical importance. ``terms``: CTCAE terms; ``term_words``: language ->
    term -> its words. ``plan_texts``: plan id -> text of its file, from which the rule simulator starts.
    """

    instruments: Mapping[str, Instrument]
    words: Mapping[tuple[str, str], Words]
    plans: Mapping[str, StudyPlan]
    plan_words: Mapping[tuple[str, str], PlanWords]
    languages: tuple[str, ...]
    lexicons: Mapping[str, Lexicon] = field(default_factory=lambda: MappingProxyType({}))
    working: Mapping[str, WorkingDays] = field(default_factory=lambda: MappingProxyType({}))
    gateway: SmsGateway = field(default_factory=SmsGateway)
    importance: Mapping[str, ClinicalImportance] = field(default_factory=lambda: MappingProxyType({}))
    terms: TermList = field(default_factory=TermList)
    term_words: Mapping[str, Mapping[str, TermWords]] = field(default_factory=lambda: MappingProxyType({}))
    plan_texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def working_days(self, plan_id: str) -> WorkingDays:
        """Return the working days of a plan; Monday to Friday for a plan without visit schedule."""
        return self.working.get(plan_id, WorkingDays())

    def plan_words_in(self, plan_id: str, language: str) -> PlanWords | None:
        """Return the words of a plan in ``language``, else in another one; None if the plan is no longer installed."""
        spoken = (self.plan_words.get((plan_id, one)) for one in (language, *self.languages))
        return next((words for words in spoken if words is not None), None)


class _ErrorCollector:
    """Collects the errors of all files, so that one start names all of them."""

    def __init__(self) -> None:
        self.errors: list[CatalogueError] = []

    def attempt(self, default: Value, read: Callable[[], Value]) -> Value:
        """Return what ``read`` returns; note its CatalogueError and return ``default`` instead."""
        try:
            return read()
        except CatalogueError as error:
            self.errors.append(error)
            return default

    def stop(self) -> None:
        """Raise one CatalogueError with all collected errors, if there are any."""
        if self.errors:
            raise CatalogueError.joined(self.errors)


def read_instruments(directory: Path) -> Mapping[str, Instrument]:
    """Read every instrument in ``directory``; return id -> instrument, without words.

    Raises CatalogueError if a file is invalid or the folder has no file.
    """
    findings, instruments = _ErrorCollector(), {}
    for path in _yaml_files(directory):
        instrument = findings.attempt(None, partial(read_instrument, path))
        if instrument is not None:
            instruments[instrument.id] = instrument
    findings.stop()
    return MappingProxyType(instruments)


def read_catalogue(
    instruments: Path,
    translations: Path,
    plans: Iterable[Path],
    *,
    lexicons: Path | None = None,
    days: Path | None = None,
    gateway: Path | None = None,
    provider: str = "",
) -> Catalogue:
    """Read all data files.

    ``instruments``: folder of the instruments; folders ``terms``, ``importance`` and ``lexicons`` beside it are
    optional. ``translations``: folder with a folder for each language. ``plans``: folders of plans; a plan in a later
    folder replaces one with the same file name, and its folder may hold ``words/<language>/`` and ``lexicons/``.
    ``lexicons``: another folder of built-in lexicons, which must hold a file. ``days``: the site's file of days off and
    working days. ``gateway``: the gateway file, which must be for ``provider``.

    Every instrument and every plan must have words in each of its languages. Raises CatalogueError that names each
    invalid file, the place and what to correct; files that depend on an invalid one are not checked.
    """
    plans, findings = tuple(plans), _ErrorCollector()
    taken = findings.attempt(SmsGateway(), partial(read_gateway, gateway, provider)) if gateway else SmsGateway()
    closed = findings.attempt(SiteDays(), partial(read_site_days, days)) if days else SiteDays()
    known = findings.attempt(EMPTY_MAPPING, partial(read_instruments, instruments))
    no_language: tuple[str, ...] = ()
    languages = findings.attempt(no_language, partial(_languages, translations))
    if not known or not languages:
        findings.stop()
    words = findings.attempt(EMPTY_MAPPING, partial(_read_words, known, translations, languages))
    found, plan_words = _read_plans(plans, known, translations, languages, findings)
    screens = findings.attempt(EMPTY_MAPPING, partial(_read_lexicons, instruments, plans, lexicons))
    if not findings.errors:
        findings.attempt(None, partial(_check_lexicons, instruments, found.values(), screens))
    # Without a folder of terms no adverse event can be graded.
    graded = instruments.parent / "terms"
    nothing: tuple[TermList, Mapping[str, Mapping[str, TermWords]]] = (TermList(), {})
    terms, term_words = findings.attempt(nothing, partial(_read_terms, graded, translations, languages, found.values()))
    meanings = {}
    for path in _yaml_files(instruments.parent / "importance", required=False):
        meaning = findings.attempt(None, partial(read_importance, path, known))
        if meaning is not None:
            meanings[path.stem] = meaning
    findings.stop()
    calendars = {plan.id: plan.calendar for plan in found.values() if plan.calendar is not None}
    working = {name: working_days(calendar.holidays, closed.off, closed.on) for name, calendar in calendars.items()}
    return Catalogue(
        instruments=known,
        words=MappingProxyType(words),
        plans=MappingProxyType(found),
        plan_words=MappingProxyType(plan_words),
        languages=languages,
        lexicons=screens,
        working=MappingProxyType(working),
        gateway=taken,
        importance=MappingProxyType(meanings),
        terms=terms,
        term_words=MappingProxyType(term_words),
        plan_texts=MappingProxyType({path.stem: path.read_text(encoding="utf-8") for path in _plan_files(plans)}),
    )


def _languages(translations: Path) -> tuple[str, ...]:
    languages = tuple(sorted(path.name for path in translations.iterdir() if (path / "instruments").is_dir()))
    if not languages:
        raise CatalogueError(translations, "", "There is no language here: a folder with a folder “instruments” in it.")
    return languages


def _read_words(
    known: Mapping[str, Instrument], translations: Path, languages: tuple[str, ...]
) -> Mapping[tuple[str, str], Words]:
    words: dict[tuple[str, str], Words] = {}
    findings = _ErrorCollector()
    for language in languages:
        directory = translations / language / "instruments"
        for path in _yaml_files(directory):
            if path.stem not in known:
                findings.errors.append(CatalogueError(path, "", f"There is no instrument called “{path.stem}”."))
        for instrument in known.values():
            path = directory / f"{instrument.id}.yaml"
            read_one = findings.attempt(None, partial(read_words, path, instrument, language))
            if read_one is None:
                continue
            words[instrument.id, language] = read_one
            # A reply may be in any language, so synonyms of all languages must not contradict each other.
            spoken = [words[instrument.id, one] for one in languages if (instrument.id, one) in words]
            for item in instrument.items:
                for problem in ambiguous_synonyms(item, [each.items[item] for each in spoken]):
                    findings.errors.append(CatalogueError(path, problem.where, problem.sentence))
    findings.stop()
    return words


def _check_lexicons(where: Path, plans: Iterable[StudyPlan], screens: Mapping[str, Lexicon]) -> None:
    """Check that the lexicon of each plan exists and has the classes that the plan names."""
    for plan in plans:
        if plan.lexicon and plan.lexicon not in screens:
            raise CatalogueError(where, f"plan {plan.id}", f"There is no lexicon called “{plan.lexicon}”.")
        unknown = set(plan.text_advice) - {"*"} - set(screens[plan.lexicon].classes if plan.lexicon else ())
        if unknown:
            raise CatalogueError(where, f"plan {plan.id}", f"text_advice names no class: {', '.join(unknown)}.")


def _plan_files(directories: Iterable[Path]) -> list[Path]:
    # A site's own file replaces a built-in one with the same name.
    return list({path.name: path for directory in directories for path in _yaml_files(directory)}.values())


def _read_plans(
    directories: Iterable[Path],
    instruments: Mapping[str, Instrument],
    translations: Path,
    languages: tuple[str, ...],
    findings: _ErrorCollector,
) -> tuple[dict[str, StudyPlan], dict[tuple[str, str], PlanWords]]:
    plans: dict[str, StudyPlan] = {}
    plan_words: dict[tuple[str, str], PlanWords] = {}
    no_file: list[Path] = []
    paths = findings.attempt(no_file, partial(_plan_files, directories))
    for path in paths:
        plan = findings.attempt(None, partial(read_plan, path, instruments))
        if plan is None:
            continue
        if plan.id in plans:
            findings.errors.append(CatalogueError(path, "id", f"There is already a plan called “{plan.id}”."))
        plans[plan.id] = plan
        for language in plan.languages:
            if language not in languages:
                sentence = f"There are no translations in “{language}”."
                findings.errors.append(CatalogueError(path, "languages", sentence))
                continue
            own = path.parent / "words" / language / path.name
            built_in = translations / language / "plans" / path.name
            said = findings.attempt(None, partial(read_plan_words, own if own.exists() else built_in, plan))
            if said is not None:
                plan_words[plan.id, language] = said
    stems = {path.stem for path in paths}
    for language in languages:
        for path in _yaml_files(translations / language / "plans", required=False):
            if path.stem not in stems:
                findings.errors.append(CatalogueError(path, "", f"There is no plan called “{path.stem}”."))
    return plans, plan_words


def _read_lexicons(instruments: Path, plans: Iterable[Path], built_in: Path | None) -> Mapping[str, Lexicon]:
    # A folder that the caller named must hold a file; the default folder may be missing.
    paths = _yaml_files(built_in) if built_in else _yaml_files(instruments.parent / "lexicons", required=False)
    for directory in plans:
        paths += _yaml_files(directory / "lexicons", required=False)
    # Keyed by file name, which is the id, so that a site's own file replaces a built-in one.
    return MappingProxyType({name: read_lexicon(path) for name, path in {path.stem: path for path in paths}.items()})


def _read_terms(
    directory: Path, translations: Path, languages: tuple[str, ...], plans: Iterable[StudyPlan]
) -> tuple[TermList, Mapping[str, Mapping[str, TermWords]]]:
    if not directory.is_dir():
        return TermList(), {}
    terms = read_terms(directory / TERMS_FILE)
    for plan in plans:
        check_terms(directory / TERMS_FILE, plan.stopping, terms)
    found = {one: read_term_words(translations / one / "terms" / TERMS_FILE, terms, one) for one in languages}
    return terms, found


def _yaml_files(directory: Path, required: bool = True) -> list[Path]:
    found = sorted(directory.glob("*.yaml"))
    if required and not found:
        raise CatalogueError(directory, "", "There is no .yaml file here.")
    return found
