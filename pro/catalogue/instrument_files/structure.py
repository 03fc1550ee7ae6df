"""Instrument files (``pro/data/instruments/*.yaml``): their shape, checks and conversion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from pro.catalogue.yaml_source import CatalogueError, FilePart, parse_file
from pro.core.questionnaire.instrument import (
    Direction,
    Instrument,
    Item,
    Kind,
    MeasuredRange,
    Page,
    Scale,
    Summary,
)
from pro.core.questionnaire.scoring import ALGORITHM
from pro.core.rule_language.conditions import FORM_FACTS, Condition, RuleError, ValueDomain, Vocabulary
from pro.core.rule_language.conditions import parse as parse_condition

# Versions before 3.0 use yes/no for items 1-5, so their answers and wording must not count as 3.0 (docs/domain.md 1.1).
ONLY_VERSION = {"qlq_c30": "3.0"}


class MeasuredFile(FilePart):
    """Readings that may be typed instead of a code: "38.5" for "38.0 to 38.9"."""

    unit: Literal["celsius"]
    lowest: dict[int, Decimal] = Field(min_length=1, description="Code -> lowest reading that stands for it")
    end: Decimal = Field(description="Readings from here on are no answer")


class ItemFile(FilePart):
    """One item: ``codes`` for a choice, ``minimum`` and ``maximum`` for a number, ``max_length`` for a text."""

    kind: Kind = "choice"
    recall_period: str = Field(
        "", description="Key of the recall period in the words files; empty where the item has none"
    )
    codes: tuple[int, ...] = Field((), description="Option codes as they are stored, in the order shown")
    not_ordinal: tuple[int, ...] = Field((), description="Codes that have no place on the order of severity")
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    decimals: int = Field(0, ge=0, le=4)
    unit: str = Field("", description="Unit in which a number is stored")
    max_length: int = Field(0, ge=0, le=10_000)
    optional: bool = Field(False, description="Left empty is fine and not worth a word on the review page")
    ask_if: str | None = Field(None, description="Condition in the rule language on earlier items and facts")
    implied: int | None = Field(None, description="Code that counts while ask_if is false")
    lists: tuple[str, ...] = Field((), description="Items that can be ticked on this list")
    measured: MeasuredFile | None = None


class PageFile(FilePart):
    """A page that is more than one item by itself."""

    id: str
    items: tuple[str, ...] = Field(min_length=1)
    kind: Literal["single", "list", "fields"] = "single"


class ScaleFile(FilePart):
    """A scale: the mean of ``items``, over ``range``."""

    items: tuple[str, ...] = Field(min_length=1)
    range: int = Field(gt=0)
    direction: Direction


class SummaryFile(FilePart):
    """The mean of ``scales``, those in ``reversed`` taken as 100 - score."""

    id: str
    scales: tuple[str, ...] = Field(min_length=1)
    reversed: tuple[str, ...] = ()


class InstrumentFile(FilePart):
    """A whole instrument file. A page written as a name alone shows the item of that name."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str = Field(min_length=1)
    channels: tuple[Literal["web", "chat", "sms"], ...] = Field(("web",), description="Ways that may carry it")
    sms_pages: str = Field("", description="The page set that goes by text message")
    stale_hours: dict[str, Annotated[int, Field(gt=0)]] = Field(
        {}, description="Recall period -> hours after which its answers are asked again in a form left unfinished"
    )
    licence_required: bool = False
    scoring: str = ""
    items: dict[str, ItemFile] = Field(min_length=1)
    pages: tuple[str | PageFile, ...] = Field(min_length=1)
    scales: dict[str, ScaleFile] = {}
    summary: SummaryFile | None = None
    groups: dict[str, tuple[str, ...]] = {}
    page_sets: dict[str, tuple[str, ...]] = {}


def read_instrument(path: Path) -> Instrument:
    """Read the instrument in ``path``.

    Raises CatalogueError that names the place of anything missing, unknown or contradictory.
    """
    file = parse_file(path, InstrumentFile)
    if file.id != path.stem:
        raise CatalogueError(path, "id", f"Its id is “{file.id}”: give the file and the instrument the same name.")
    expected = ONLY_VERSION.get(file.id, file.version)
    if file.version != expected:
        sentence = f"Only version {expected} of {file.id} is known here, not {file.version}."
        raise CatalogueError(path, "version", sentence)
    items = _items(path, file)
    pages = _pages(path, file, items)
    for name, members in file.groups.items():
        _check_known(path, f"groups.{name}", members, items, "item")
    page_ids = [page.id for page in pages]
    for name, members in file.page_sets.items():
        _check_known(path, f"page_sets.{name}", members, page_ids, "page")
    _channels(path, file, items, pages)
    scales = _scales(path, file, items)
    return Instrument(
        id=file.id,
        version=file.version,
        items=MappingProxyType(items),
        pages=pages,
        scales=MappingProxyType(scales),
        summary=_summary(path, file, scales),
        groups=MappingProxyType(dict(file.groups)),
        page_sets=MappingProxyType(dict(file.page_sets)),
        channels=file.channels,
        sms_pages=file.sms_pages,
        stale_hours=MappingProxyType(file.stale_hours),
        licence_required=file.licence_required,
        scoring=file.scoring,
    )


def value_domain(item: Item) -> ValueDomain:
    """Return the values with which a condition may compare ``item``.

    Not for an item of kind list; conditions name the items of the list.
    """
    if item.kind == "choice":
        return ValueDomain("codes", codes=frozenset(item.codes), ordered=item.codes == item.ordinal_codes)
    if item.kind == "number":
        return ValueDomain("number", minimum=item.minimum, maximum=item.maximum)
    return ValueDomain("text")


def _items(path: Path, file: InstrumentFile) -> dict[str, Item]:
    items: dict[str, Item] = {}
    for item_id, raw in file.items.items():
        where = f"items.{item_id}"
        _check_item(path, where, raw)
        if raw.kind == "list":
            choices = [name for name, other in file.items.items() if other.kind == "choice"]
            _check_known(path, f"{where}.lists", raw.lists, choices, "choice")
            _listed_can_be_none(path, where, raw, file)
        items[item_id] = Item(
            id=item_id,
            kind=raw.kind,
            recall_period=raw.recall_period,
            codes=raw.codes,
            ordinal_codes=tuple(code for code in raw.codes if code not in raw.not_ordinal),
            minimum=raw.minimum,
            maximum=raw.maximum,
            decimals=raw.decimals,
            unit=raw.unit,
            max_length=raw.max_length,
            optional=raw.optional,
            ask_if=_condition(path, f"{where}.ask_if", raw.ask_if, items, file),
            implied=raw.implied,
            lists=raw.lists,
            measured=_measured(path, where, raw),
        )
    listed = Counter(name for item in items.values() for name in item.lists)
    for name, times in listed.items():
        if times > 1:
            raise CatalogueError(path, f"items.{name}", f"“{name}” stands on {times} lists: one list may ask for it.")
    return items


def _measured(path: Path, where: str, raw: ItemFile) -> MeasuredRange | None:
    if raw.measured is None:
        return None
    _check_known(path, f"{where}.measured.lowest", map(str, raw.measured.lowest), map(str, raw.codes), "code")
    steps = tuple(sorted((lowest, code) for code, lowest in raw.measured.lowest.items()))
    # A typed number that is a code is that code, so no reading may look like one.
    if steps[0][0] <= max(raw.codes) or raw.measured.end <= steps[-1][0] or len(dict(steps)) < len(steps):
        sentence = "The readings must differ from each other and from every code, and the end must be above them."
        raise CatalogueError(path, f"{where}.measured", sentence)
    return MeasuredRange(raw.measured.unit, steps, raw.measured.end)


def _condition(
    path: Path, where: str, source: str | None, earlier: dict[str, Item], file: InstrumentFile
) -> Condition | None:
    if source is None:
        return None
    # The vocabulary has earlier items only, so conditions cannot be circular.
    domains = {name: value_domain(item) for name, item in earlier.items() if item.kind != "list"}
    try:
        return parse_condition(source, Vocabulary(items=domains, facts=FORM_FACTS))
    except RuleError as problem:
        later = [name for name in file.items if name not in earlier and f"“{name}”" in problem.sentence.split(";")[0]]
        sentence = f"column {problem.column}: {problem.sentence}."
        if later:
            sentence = f"A question can only depend on earlier ones, and “{later[0]}” is not one of them."
        raise CatalogueError(path, where, sentence) from problem


def _check_item(path: Path, where: str, raw: ItemFile) -> None:
    fits = {
        "choice": bool(raw.codes) and not raw.lists and not raw.max_length and raw.minimum is raw.maximum is None,
        "number": raw.minimum is not None and raw.maximum is not None and raw.minimum < raw.maximum and not raw.codes,
        "text": raw.max_length > 0 and not raw.codes,
        "list": bool(raw.lists) and not raw.codes,
    }
    if not fits[raw.kind]:
        needs = {
            "choice": "codes and nothing of the other kinds",
            "number": "a minimum below its maximum and no codes",
            "text": "a max_length and no codes",
            "list": "lists and no codes",
        }
        raise CatalogueError(path, where, f"An item of kind {raw.kind} needs {needs[raw.kind]}.")
    _check_unique(path, f"{where}.codes", raw.codes)
    _check_unique(path, f"{where}.lists", raw.lists)
    for code in raw.not_ordinal:
        if code not in raw.codes:
            raise CatalogueError(path, f"{where}.not_ordinal", f"{code} is not one of the codes.")
    if raw.implied is not None and raw.implied not in raw.codes:
        raise CatalogueError(path, f"{where}.implied", f"{raw.implied} is not one of the codes.")
    if raw.implied is not None and raw.ask_if is None:
        raise CatalogueError(path, f"{where}.implied", "An implied value needs an ask_if: this item is always asked.")


def _listed_can_be_none(path: Path, where: str, raw: ItemFile, file: InstrumentFile) -> None:
    for name in raw.lists:
        if 0 not in file.items[name].codes:
            sentence = f"“{name}” has no code 0, so not ticking it would mean nothing."
            raise CatalogueError(path, f"{where}.lists", sentence)


def _pages(path: Path, file: InstrumentFile, items: dict[str, Item]) -> tuple[Page, ...]:
    pages = tuple(
        Page(raw, (raw,)) if isinstance(raw, str) else Page(raw.id, raw.items, raw.kind) for raw in file.pages
    )
    _check_unique(path, "pages", [page.id for page in pages])
    shown = [item for page in pages for item in page.items]
    _check_known(path, "pages", shown, items, "item")
    unseen = [item for item in items if item not in shown]
    if unseen:
        raise CatalogueError(path, "pages", f"“{unseen[0]}” is on no page, so nobody could answer it.")
    order = {item: place for place, item in enumerate(shown)}
    for page in pages:
        where = f"pages.{page.id}"
        kinds = {items[item].kind for item in page.items}
        if (page.kind == "list") != ("list" in kinds) or (page.kind != "fields" and len(page.items) > 1):
            sentence = "A list page shows one list, a single page one item, a fields page no list."
            raise CatalogueError(path, where, sentence)
        if page.kind == "fields" and not all(items[item].optional for item in page.items):
            raise CatalogueError(path, where, "Only optional items can share a page of fields.")
        for item in page.items:
            condition = items[item].ask_if
            needed = [*(condition.names if condition else ()), *(k for k in items if item in items[k].lists)]
            late = [name for name in needed if order.get(name, -1) > order[item]]
            if late:
                raise CatalogueError(path, where, f"“{item}” depends on “{late[0]}”, which is asked after it.")
    return pages


def _channels(path: Path, file: InstrumentFile, items: dict[str, Item], pages: tuple[Page, ...]) -> None:
    """Check the channels: licensed wording only on the web, no lists in text messages."""
    _check_unique(path, "channels", file.channels)
    if "web" not in file.channels:
        raise CatalogueError(path, "channels", "Every form can be answered on the web: add web.")
    if file.licence_required and len(file.channels) > 1:
        raise CatalogueError(path, "channels", "Licensed wording may not be split up for a conversation: web only.")
    if ("sms" in file.channels) != bool(file.sms_pages):
        raise CatalogueError(
            path, "sms_pages", "An instrument with the channel sms needs sms_pages, and only such an instrument."
        )
    if not file.sms_pages:
        return
    _check_known(path, "sms_pages", [file.sms_pages], file.page_sets, "page set")
    for page in pages:
        if page.id in file.page_sets[file.sms_pages] and any(items[name].kind == "list" for name in page.items):
            raise CatalogueError(path, "sms_pages", f"“{page.id}” is a list, too long for a text message.")


def _scales(path: Path, file: InstrumentFile, items: dict[str, Item]) -> dict[str, Scale]:
    if bool(file.scales) != bool(file.scoring) or file.scoring not in ("", ALGORITHM):
        sentence = f"An instrument with scales is scored by “{ALGORITHM}”, one without by nothing."
        raise CatalogueError(path, "scoring", sentence)
    scales: dict[str, Scale] = {}
    for scale_id, raw in file.scales.items():
        where = f"scales.{scale_id}"
        _check_known(path, where, raw.items, items, "item")
        for name in raw.items:
            codes = items[name].codes
            if not codes or min(codes) != 1 or max(codes) - min(codes) != raw.range:
                raise CatalogueError(path, where, f"“{name}” is not coded from 1 with the range {raw.range}.")
        scales[scale_id] = Scale(scale_id, raw.items, raw.range, raw.direction)
    return scales


def _summary(path: Path, file: InstrumentFile, scales: dict[str, Scale]) -> Summary | None:
    raw = file.summary
    if raw is None:
        return None
    _check_known(path, "summary.scales", raw.scales, scales, "scale")
    _check_known(path, "summary.reversed", raw.reversed, raw.scales, "scale of the summary")
    if raw.id in scales:
        raise CatalogueError(path, "summary.id", f"“{raw.id}” is already the name of a scale.")
    return Summary(raw.id, raw.scales, raw.reversed)


def _check_known(path: Path, where: str, names: Iterable[str], known: Iterable[str], kind: str) -> None:
    names, known = list(names), set(known)
    for name in names:
        if name not in known:
            raise CatalogueError(path, where, f"“{name}” is not a known {kind}.")
    _check_unique(path, where, names)


def _check_unique(path: Path, where: str, names: Iterable[object]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise CatalogueError(path, where, f"“{name}” stands there {times} times.")
