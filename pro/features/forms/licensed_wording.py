"""Licensed words: loaded by the site, checked, kept for ever, pinned to a form when it is issued."""

from __future__ import annotations

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.catalogue.instrument_files.licensed_wording import licence_problems
from pro.core.questionnaire.instrument import Words
from pro.core.questionnaire.json_values import read_words, store_words
from pro.errors import NotAllowed
from pro.models import LicensedWording

# Immutable content by checksum, so a process needs to read each text from the database once.
_words_by_checksum: dict[str, Words] = {}


def load_wording(work: UnitOfWork, words: Words, note: str = "") -> LicensedWording:
    """Keep licensed ``words`` (already checked); forms issued from now on use them."""
    stored = store_words(words)
    row = LicensedWording(
        instrument=words.instrument,
        instrument_version=words.instrument_version,
        language=words.language,
        version=words.version,
        checksum=words.checksum,
        licence=stored["licence"],
        words=stored,
        loaded_at=work.now,
        note=note,
    )
    work.session.add(row)
    work.record("wording.loaded", row, new={"checksum": words.checksum, "version": words.version}, reason=note)
    return row


def current_words(work: UnitOfWork, instrument: str, language: str) -> Words:
    """The words that a form issued now would use: the newest licensed ones, else our own from the data files."""
    query = (
        select(LicensedWording.checksum)
        .where(LicensedWording.instrument == instrument, LicensedWording.language == language)
        .order_by(LicensedWording.id.desc())
        .limit(1)
    )
    checksum = work.session.scalar(query)
    return find_words(work, instrument, language, checksum) if checksum else work.catalogue.words[instrument, language]


def find_words(work: UnitOfWork, instrument: str, language: str, checksum: str) -> Words:
    """The words that were pinned. Falls back to our own where a data file has changed since."""
    own = work.catalogue.words[instrument, language]
    if own.checksum == checksum:
        return own
    if checksum not in _words_by_checksum:
        row = work.session.scalar(select(LicensedWording).where(LicensedWording.checksum == checksum).limit(1))
        if row is None:
            return own
        _words_by_checksum[checksum] = read_words(row.words)
    return _words_by_checksum[checksum]


def checksums_to_pin(work: UnitOfWork, instrument: str) -> dict[str, str]:
    """language -> checksum to pin. NotAllowed("wording_not_licensed") in production without a valid licence."""
    pinned = {}
    for language in work.catalogue.languages:
        words = current_words(work, instrument, language)
        if work.config.production and not is_licensed(work, words):
            raise NotAllowed("wording_not_licensed", instrument=instrument, language=language)
        pinned[language] = words.checksum
    return pinned


def is_licensed(work: UnitOfWork, words: Words) -> bool:
    """True if these words may be shown to a participant outside the demonstration."""
    if not work.catalogue.instruments[words.instrument].licence_required:
        return True
    return not licence_problems(words.licence, words.language, work.now.date())


def missing_licences(work: UnitOfWork) -> list[str]:
    """A sentence for every instrument and language of the plans that may not be issued in production."""
    found = []
    for instrument in sorted({name for plan in work.catalogue.plans.values() for name in plan.instruments}):
        for language in work.catalogue.languages:
            if not is_licensed(work, current_words(work, instrument, language)):
                found.append(
                    f"{instrument} has no licensed wording in {language}: "
                    f"`flask wording template {instrument} {language}`, fill it in, `flask wording load`."
                )
    return found


def list_wordings(work: UnitOfWork) -> list[LicensedWording]:
    """Every licensed text that was loaded, oldest first."""
    return list(work.session.scalars(select(LicensedWording).order_by(LicensedWording.id)))
