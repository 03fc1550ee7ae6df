"""Every data file read once into one frozen catalogue; the program does not start on anything dubious.

``read`` is called at boot with the folders; nobody else opens a data file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pro.catalogue.days import read_working_days
from pro.catalogue.gateways import read_gateway
from pro.catalogue.importance import read_importance
from pro.catalogue.instruments import read_instrument
from pro.catalogue.lexicons import read_lexicon
from pro.catalogue.plan_words import read_plan_words
from pro.catalogue.plans import read_plan
from pro.catalogue.source import CatalogueError
from pro.catalogue.stopping import check_terms
from pro.catalogue.terms import read_term_words, read_terms
from pro.catalogue.words import double_meanings, read_words
from pro.core.adverse import Terms, TermWords
from pro.core.anchors import WorkingDays
from pro.core.gateway import Gateway
from pro.core.importance import Importance
from pro.core.instrument import Instrument, Words
from pro.core.lexicon import Lexicon
from pro.core.plan import Plan, PlanWords

__all__ = ["Catalogue", "CatalogueError", "read", "read_instruments"]
TERMS = "ctcae_v5.yaml"


@dataclass(frozen=True, slots=True, repr=False)
class Catalogue:
    """What the program knows: instruments, plans, lexicons by id; words of the first two by (id, language).

    ``working``: plan id -> the working days of its calendar, with the site's own days laid over them. ``gateway``: what
    the site's SMS gateway takes. ``importance``: instrument id -> what its scores mean, where that was published.
    ``terms``: of adverse events, and by language what each is called and means. ``plan_texts``: plan id -> its
    file, for whoever wants to try changes of it.
    """

    instruments: Mapping[str, Instrument]
    words: Mapping[tuple[str, str], Words]
    plans: Mapping[str, Plan]
    plan_words: Mapping[tuple[str, str], PlanWords]
    languages: tuple[str, ...]
    lexicons: Mapping[str, Lexicon] = field(default_factory=lambda: MappingProxyType({}))
    working: Mapping[str, WorkingDays] = field(default_factory=lambda: MappingProxyType({}))
    gateway: Gateway = field(default_factory=Gateway)
    importance: Mapping[str, Importance] = field(default_factory=lambda: MappingProxyType({}))
    terms: Terms = field(default_factory=Terms)
    term_words: Mapping[str, Mapping[str, TermWords]] = field(default_factory=lambda: MappingProxyType({}))
    plan_texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def working_days(self, plan_id: str) -> WorkingDays:
        """The working days of a plan's calendar; Monday to Friday for one that was put together by hand."""
        return self.working.get(plan_id, WorkingDays())


def read_instruments(directory: Path) -> Mapping[str, Instrument]:
    """Every instrument in ``directory`` by id, without words. CatalogueError if a file is dubious or there is none."""
    instruments = {}
    for path in _files(directory):
        instrument = read_instrument(path)
        instruments[instrument.id] = instrument
    return MappingProxyType(instruments)


def read(
    instruments: Path,
    translations: Path,
    plans: Iterable[Path],
    *,
    lexicons: Path | None = None,
    days: Path | None = None,
    gateway: Path | None = None,
    provider: str = "",
) -> Catalogue:
    """Read the instruments' folder, every language below ``translations``, and the folders of ``plans``.

    A later folder's plan takes the place of one with the same file name; its words may lie beside it, in
    ``words/<language>/``, and the site's own lexicons in ``lexicons/``. The built-in lexicons are in ``lexicons``; if
    that is not given, in the folder of that name beside the instruments' one, which then may be missing. Every
    instrument and every plan must have its words in each of its languages. ``days``: the site's own file of days off
    and on. ``gateway``: what the gateway of ``provider`` takes. CatalogueError names the file, the place and what to
    mend.
    """
    plans = tuple(plans)
    known = read_instruments(instruments)
    languages = tuple(sorted(path.name for path in translations.iterdir() if (path / "instruments").is_dir()))
    if not languages:
        raise CatalogueError(translations, "", "There is no language here: a folder with a folder “instruments” in it.")
    words: dict[tuple[str, str], Words] = {}
    for language in languages:
        directory = translations / language / "instruments"
        for path in _files(directory):
            if path.stem not in known:
                raise CatalogueError(path, "", f"There is no instrument called “{path.stem}”.")
        for instrument in known.values():
            path = directory / f"{instrument.id}.yaml"
            words[instrument.id, language] = read_words(path, instrument, language)
            # Replies are understood in every language, whichever the question was asked in.
            spoken = [words[instrument.id, one] for one in languages if (instrument.id, one) in words]
            for item in instrument.items:
                for problem in double_meanings(item, [each.items[item] for each in spoken]):
                    raise CatalogueError(path, problem.where, problem.sentence)
    plans = tuple(plans)
    found, plan_words = _read_plans(plans, known, translations, languages)
    screens = _read_lexicons(instruments, plans, lexicons)
    _check_lexicons(instruments, found.values(), screens)
    calendars = {plan.id: plan.calendar for plan in found.values() if plan.calendar is not None}
    working = {name: read_working_days(calendar.holidays, days) for name, calendar in calendars.items()}
    terms, term_words = _read_terms(instruments.parent / "terms", translations, languages, found.values())
    meanings = _files(instruments.parent / "importance", required=False)
    return Catalogue(
        instruments=known,
        words=MappingProxyType(words),
        plans=found,
        plan_words=plan_words,
        languages=languages,
        lexicons=screens,
        working=MappingProxyType(working),
        gateway=read_gateway(gateway, provider) if gateway else Gateway(),
        importance=MappingProxyType({path.stem: read_importance(path, known) for path in meanings}),
        terms=terms,
        term_words=term_words,
        plan_texts=MappingProxyType({path.stem: path.read_text(encoding="utf-8") for path in _plan_files(plans)}),
    )


def _check_lexicons(where: Path, plans: Iterable[Plan], screens: Mapping[str, Lexicon]) -> None:
    """A plan's lexicon is there, and the classes that it names are in it."""
    for plan in plans:
        if plan.lexicon and plan.lexicon not in screens:
            raise CatalogueError(where, f"plan {plan.id}", f"There is no lexicon called “{plan.lexicon}”.")
        unknown = set(plan.text_advice) - {"*"} - set(screens[plan.lexicon].classes if plan.lexicon else ())
        if unknown:
            raise CatalogueError(where, f"plan {plan.id}", f"text_advice names no class: {', '.join(unknown)}.")


def _plan_files(directories: Iterable[Path]) -> Iterable[Path]:
    # A site's own file takes the place of a built-in one of the same name.
    return {path.name: path for directory in directories for path in _files(directory)}.values()


def _read_plans(
    directories: Iterable[Path], instruments: Mapping[str, Instrument], translations: Path, languages: tuple[str, ...]
) -> tuple[Mapping[str, Plan], Mapping[tuple[str, str], PlanWords]]:
    plans: dict[str, Plan] = {}
    plan_words: dict[tuple[str, str], PlanWords] = {}
    for path in _plan_files(directories):
        plan = read_plan(path, instruments)
        if plan.id in plans:
            raise CatalogueError(path, "id", f"There is already a plan called “{plan.id}”.")
        plans[plan.id] = plan
        for language in plan.languages:
            if language not in languages:
                raise CatalogueError(path, "languages", f"There are no translations in “{language}”.")
            own = path.parent / "words" / language / path.name
            built_in = translations / language / "plans" / path.name
            plan_words[plan.id, language] = read_plan_words(own if own.exists() else built_in, plan)
    for language in languages:
        for path in _files(translations / language / "plans", required=False):
            if path.stem not in plans:
                raise CatalogueError(path, "", f"There is no plan called “{path.stem}”.")
    return MappingProxyType(plans), MappingProxyType(plan_words)


def _read_lexicons(instruments: Path, plans: Iterable[Path], built_in: Path | None) -> Mapping[str, Lexicon]:
    # A folder that was named must hold something; the one that is only looked for may be missing.
    paths = _files(built_in) if built_in else _files(instruments.parent / "lexicons", required=False)
    for directory in plans:
        paths += _files(directory / "lexicons", required=False)
    # Read by file name, and an id is its file's name: a site's own file takes the place of a built-in one.
    return MappingProxyType({name: read_lexicon(path) for name, path in {path.stem: path for path in paths}.items()})


def _read_terms(
    directory: Path, translations: Path, languages: tuple[str, ...], plans: Iterable[Plan]
) -> tuple[Terms, Mapping[str, Mapping[str, TermWords]]]:
    # Beside the instruments, where it may be missing: then nothing can be graded.
    if not directory.is_dir():
        return Terms(), MappingProxyType({})
    terms = read_terms(directory / TERMS)
    for plan in plans:
        check_terms(directory / TERMS, plan.stopping, terms)
    found = {one: read_term_words(translations / one / "terms" / TERMS, terms, one) for one in languages}
    return terms, MappingProxyType(found)


def _files(directory: Path, required: bool = True) -> list[Path]:
    found = sorted(directory.glob("*.yaml"))
    if required and not found:
        raise CatalogueError(directory, "", "There is no .yaml file here.")
    return found
