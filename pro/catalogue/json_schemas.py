"""JSON Schemas of the data files, for editors, generated from the models that read them."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from pro.catalogue.gateway_file import GatewayFile
from pro.catalogue.instrument_files.clinical_importance import ImportanceFile
from pro.catalogue.instrument_files.structure import InstrumentFile
from pro.catalogue.instrument_files.words import WordsFile
from pro.catalogue.lexicon_files import LexiconFile
from pro.catalogue.plan_files.plan import PlanFile
from pro.catalogue.plan_files.plan_words import PlanWordsFile
from pro.catalogue.term_files import TermsFile, TermsWordsFile


def json_schemas() -> dict[str, str]:
    """Return path from the project's root -> text of the schema, for every kind of data file."""
    return {
        "deploy/gateway.schema.json": _text(GatewayFile),
        "pro/data/importance/schema.json": _text(ImportanceFile),
        "pro/data/instruments/schema.json": _text(InstrumentFile),
        "pro/data/lexicons/schema.json": _text(LexiconFile),
        "pro/data/plans/schema.json": _text(PlanFile),
        "pro/data/terms/schema.json": _text(TermsFile),
        "translations/schema.json": _text(WordsFile | PlanWordsFile | TermsWordsFile),
    }


def _text(shape: Any) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **TypeAdapter(shape).json_schema()}
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
