"""Read all data files into one read-only catalogue; an invalid file prevents a start.

``read_catalogue`` is called once, at the start. Only this package opens data files.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pro.catalogue.absent_words import absent_instrument, absent_plan, absent_plan_words, absent_words
from pro.catalogue.closing_days import SiteDays, read_site_days
from pro.catalogue.gateway_file import read_gateway
from pro.catalogue.instrument_files.clinical_importance import read_importance
from pro.catalogue.instrument_files.structure import read_instrument
from pro.catalogue.instrument_files.words import ambiguous_synonyms, read_words
from pro.catalogue.language_fallback import ByLanguage, LanguageGap, WordsByLanguage, find_gaps, reader_languages
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
from pro.i18n import LANGUAGES, choose_language
from pro.public_holidays import working_days

__all__ = ["Catalogue", "CatalogueError", "read_catalogue", "read_instruments"]
TERMS_FILE = "ctcae_v5.yaml"
Value = TypeVar("Value")
EMPTY_MAPPING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, repr=False)
class Catalogue:
    """The content of all data files.

    ``instruments``, ``plans``, ``lexicons``: by id. ``words``, ``plan_words``: by (id, language), with another language
    where one is missing. ``working``: plan id -> working days, with the site's own days. ``gateway``: what the site's
    SMS gateway accepts. ``importance``: instrument id -> published thresholds of clinical importance. ``terms``: CTCAE
    terms; ``term_words``: language -> term -> its words. ``plan_texts``: plan id -> text of its file, from which the
    rule simulator starts. ``gaps``: languages that are missing.

    A record may belong to a plan or an instrument that is no longer installed: whatever reads records asks
    ``plan_or_none`` and ``instrument_or_none``, or takes a stand-in for a page from ``shown_plan`` and
    ``shown_instrument``.
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
    gaps: tuple[LanguageGap, ...] = ()

    def plan_or_none(self, plan_id: str) -> StudyPlan | None:
        """Return the plan; None if it is no longer installed."""
        return self.plans.get(plan_id)

    def instrument_or_none(self, instrument_id: str) -> Instrument | None:
        """Return the instrument; None if it is no longer installed."""
        return self.instruments.get(instrument_id)

    def staff_title(self, instrument_id: str, language: str) -> str:
        """Return the name of a questionnaire for staff, whatever its wording is called for participants."""
        words = self.words[instrument_id, language]
        return words.staff_title or words.title

    def shown_plan(self, plan_id: str) -> StudyPlan:
        """Return the plan, or a stand-in without rules for a page about a participant whose plan is gone.

        Never evaluate by it: it finds nothing.
        """
        return self.plans.get(plan_id) or absent_plan(next(iter(self.plans.values())), plan_id)

    def shown_instrument(self, instrument_id: str) -> Instrument:
        """Return the instrument, or a stand-in without items for a page about a form whose instrument is gone."""
        return self.instruments.get(instrument_id) or absent_instrument(instrument_id)

    def working_days(self, plan_id: str) -> WorkingDays:
        """Return the working days of a plan; Monday to Friday for a plan without visit schedule."""
        return self.working.get(plan_id, WorkingDays())


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


@contextmanager
def _paused_collection() -> Iterator[None]:
    """Pause the garbage collector: what is read stays, and searching it again and again takes half the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


@_paused_collection()
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

    Every instrument and every plan must have words in at least one language; a file that is missing in another one
    becomes a gap, and words of another language are shown. Raises CatalogueError that names each invalid file, the
    place and what to correct; files that depend on an invalid one are not checked.
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
    meanings = _read_meanings(instruments.parent / "importance", known, findings)
    findings.stop()
    spoken = WordsByLanguage(words, absent_words)
    plan_spoken = WordsByLanguage(plan_words, partial(_absent_plan_words, plan_words, tuple(found)))
    schedules = {plan.id: plan.visit_schedule for plan in found.values() if plan.visit_schedule is not None}
    working = {name: working_days(one.holidays, closed.off, closed.on) for name, one in schedules.items()}
    return Catalogue(
        instruments=known,
        words=spoken,
        plans=MappingProxyType(found),
        plan_words=plan_spoken,
        languages=tuple(one for one in languages if any(spoken_in == one for _name, spoken_in in words)),
        lexicons=screens,
        working=MappingProxyType(working),
        gateway=taken,
        importance=MappingProxyType(meanings),
        terms=terms,
        term_words=ByLanguage(term_words),
        gaps=_find_gaps(found, spoken, plan_spoken, terms, term_words),
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
        for path in _yaml_files(directory, required=False):
            if path.stem not in known:
                findings.errors.append(CatalogueError(path, "", f"There is no instrument called “{path.stem}”."))
        for instrument in known.values():
            path = directory / f"{instrument.id}.yaml"
            if not path.exists():
                continue
            read_one = findings.attempt(None, partial(read_words, path, instrument, language))
            if read_one is None:
                continue
            words[instrument.id, language] = read_one
            # A reply may be in any language, so synonyms of all languages must not contradict each other.
            spoken = [words[instrument.id, one] for one in languages if (instrument.id, one) in words]
            for item in instrument.items:
                for problem in ambiguous_synonyms(item, [each.items[item] for each in spoken]):
                    findings.errors.append(CatalogueError(path, problem.where, problem.sentence))
    for name in known:
        # A file that is there and invalid was named above.
        if not any((translations / one / "instruments" / f"{name}.yaml").exists() for one in languages):
            where = translations / languages[0] / "instruments" / f"{name}.yaml"
            findings.errors.append(CatalogueError(where, "", f"“{name}” has words in no language."))
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
        files = {
            language: next((one for one in _plan_words_files(path, translations, language) if one.exists()), None)
            for language in plan.languages
        }
        if not any(files.values()):
            spoken = ", ".join(plan.languages)
            findings.errors.append(CatalogueError(path, "languages", f"The plan has words in none of these: {spoken}."))
        for language, file in files.items():
            said = findings.attempt(None, partial(read_plan_words, file, plan)) if file else None
            if said is not None:
                plan_words[plan.id, language] = said
    stems = {path.stem for path in paths}
    for language in languages:
        for path in _yaml_files(translations / language / "plans", required=False):
            if path.stem not in stems:
                findings.errors.append(CatalogueError(path, "", f"There is no plan called “{path.stem}”."))
    return plans, plan_words


def _plan_words_files(plan: Path, translations: Path, language: str) -> tuple[Path, Path]:
    """Return where the words of a plan may lie: beside the plan, or among the built-in translations."""
    return plan.parent / "words" / language / plan.name, translations / language / "plans" / plan.name


def _absent_plan_words(
    words: Mapping[tuple[str, str], PlanWords], plans: tuple[str, ...], plan_id: str, language: str
) -> PlanWords:
    """Return words for a plan that is no longer installed, made from those of the first installed one."""
    like = {spoken: one for (name, spoken), one in words.items() if name == plans[0]}
    return absent_plan_words(like[choose_language(language, like)], plan_id)


def _find_gaps(
    plans: Mapping[str, StudyPlan],
    words: WordsByLanguage[Words],
    plan_words: WordsByLanguage[PlanWords],
    terms: TermList,
    term_words: Mapping[str, object],
) -> tuple[LanguageGap, ...]:
    """Return what is missing in a language that a reader may have: of the interface, or of a plan."""
    offered = {name: reader_languages(plan.languages) for name, plan in plans.items()}
    every = reader_languages(language for plan in plans.values() for language in plan.languages)
    asked = {name: every for plan in plans.values() for name in plan.instruments}
    gaps = [*find_gaps("plan", plan_words, offered), *find_gaps("instrument", words, asked)]
    if term_words:
        gaps += [
            LanguageGap("terms", terms.id, one, choose_language(one, term_words))
            for one in reader_languages()
            if one not in term_words
        ]
    gaps += [
        LanguageGap("interface", "", one, choose_language(one, LANGUAGES)) for one in every if one not in LANGUAGES
    ]
    return tuple(gaps)


def _read_meanings(
    directory: Path, known: Mapping[str, Instrument], findings: _ErrorCollector
) -> dict[str, ClinicalImportance]:
    meanings = {}
    for path in _yaml_files(directory, required=False):
        meaning = findings.attempt(None, partial(read_importance, path, known))
        if meaning is not None:
            meanings[path.stem] = meaning
    return meanings


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
        check_terms(directory / TERMS_FILE, plan.stopping_rule, terms)
    paths = {one: translations / one / "terms" / TERMS_FILE for one in languages}
    there = {one: path for one, path in paths.items() if path.exists()} or paths
    return terms, {one: read_term_words(path, terms, one) for one, path in there.items()}


def _yaml_files(directory: Path, required: bool = True) -> list[Path]:
    found = sorted(directory.glob("*.yaml"))
    if required and not found:
        raise CatalogueError(directory, "", "There is no .yaml file here.")
    return found
