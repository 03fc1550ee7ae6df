"""Licensed wording: loaded by the site, stored permanently, pinned to issued forms."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.catalogue.instrument_files.licensed_wording import licence_problems
from pro.core.questionnaire.instrument import Words
from pro.core.questionnaire.json_values import read_words, store_words
from pro.errors import NotAllowed
from pro.i18n import choose_language
from pro.models import LicensedWording

# Cache: content never changes under its checksum, so each process reads it from the database once.
_words_by_checksum: dict[str, Words] = {}


def load_wording(work: UnitOfWork, words: Words, note: str = "") -> LicensedWording:
    """Store licensed ``words`` (already checked) for forms issued from now on."""
    stored = store_words(words)
    row = LicensedWording(
        instrument=words.instrument,
        instrument_version=words.instrument_version,
        language=words.language,
        version=words.version,
        checksum=words.checksum,
        licence=stored["licence"],
        wording=stored,
        loaded_at=work.now,
        note=note,
    )
    work.session.add(row)
    work.record("licensed_wording.loaded", row, new={"checksum": words.checksum, "version": words.version}, reason=note)
    return row


def current_words(work: UnitOfWork, instrument: str, language: str) -> Words:
    """Return the wording for a form issued now.

    The newest licensed wording, else that of the data files; without words in ``language``, the same in another one.
    """
    query = (
        select(LicensedWording.checksum)
        .where(LicensedWording.instrument == instrument, LicensedWording.language == language)
        .order_by(LicensedWording.id.desc())
        .limit(1)
    )
    checksum = work.session.scalar(query)
    if checksum:
        return find_words(work, instrument, language, checksum)
    own = work.catalogue.words[instrument, language]
    return own if own.language == language else current_words(work, instrument, own.language)


def find_words(work: UnitOfWork, instrument: str, language: str, checksum: str) -> Words:
    """Return the wording with ``checksum``, as it was pinned to a form.

    Falls back to the data file's wording if a wording that was never loaded has changed since.
    """
    own = work.catalogue.words[instrument, language]
    if own.checksum == checksum:
        return own
    if checksum not in _words_by_checksum:
        row = work.session.scalar(select(LicensedWording).where(LicensedWording.checksum == checksum).limit(1))
        if row is None:
            return own
        _words_by_checksum[checksum] = read_words(row.wording)
    return _words_by_checksum[checksum]


def pinned_words(work: UnitOfWork, instrument: str, pinned: Mapping[str, str], language: str) -> Words:
    """Return the wording of a form in ``language``, as pinned when it was issued (language -> checksum).

    A language that was not pinned and has no words now becomes one that was pinned.
    """
    spoken = language
    if language not in pinned and (instrument, language) not in work.catalogue.words and pinned:
        spoken = choose_language(language, pinned)
    return find_words(work, instrument, spoken, pinned.get(spoken, ""))


def checksums_to_pin(work: UnitOfWork, instrument: str) -> dict[str, str]:
    """Return language -> checksum of the wording to pin.

    Raise NotAllowed("wording_not_licensed", instrument, language) in production without a valid licence.
    """
    pinned = {}
    for language in spoken_languages(work, instrument):
        words = current_words(work, instrument, language)
        if work.config.production and not is_licensed(work, words):
            raise NotAllowed("wording_not_licensed", instrument=instrument, language=language)
        pinned[language] = words.checksum
    return pinned


def spoken_languages(work: UnitOfWork, instrument: str) -> tuple[str, ...]:
    """Return the languages in which ``instrument`` has words."""
    return tuple(one for one in work.catalogue.languages if (instrument, one) in work.catalogue.words)


def is_licensed(work: UnitOfWork, words: Words) -> bool:
    """Return True if the wording may be shown to participants in production."""
    if not work.catalogue.shown_instrument(words.instrument).licence_required:
        return True
    return not licence_problems(words.licence, words.language, work.now.date())


def missing_licences(work: UnitOfWork) -> list[str]:
    """Return a sentence for each instrument and language without a licence for production."""
    found = []
    for instrument in sorted({name for plan in work.catalogue.plans.values() for name in plan.instruments}):
        for language in spoken_languages(work, instrument):
            if not is_licensed(work, current_words(work, instrument, language)):
                found.append(
                    f"{instrument} has no licensed wording in {language}: "
                    f"`flask wording template {instrument} {language}`, fill it in, `flask wording load`."
                )
    return found


def list_wordings(work: UnitOfWork) -> list[LicensedWording]:
    """Return all licensed wordings that were loaded, oldest first."""
    return list(work.session.scalars(select(LicensedWording).order_by(LicensedWording.id)))
