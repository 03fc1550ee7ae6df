"""JSON Schemas of the data files, generated from the models that read them, so that editors complete and check."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from pro.catalogue.gateways import GatewayFile
from pro.catalogue.importance import ImportanceFile
from pro.catalogue.instruments import InstrumentFile
from pro.catalogue.lexicons import LexiconFile
from pro.catalogue.plan_words import PlanWordsFile
from pro.catalogue.plans import PlanFile
from pro.catalogue.terms import TermsFile, TermsWordsFile
from pro.catalogue.words import WordsFile


def json_schemas() -> dict[str, str]:
    """Path from the project's root -> the schema's text, for every kind of data file."""
    return {
        "deploy/gateway.schema.json": _text(GatewayFile),
        "pro/importance/schema.json": _text(ImportanceFile),
        "pro/instruments/schema.json": _text(InstrumentFile),
        "pro/lexicons/schema.json": _text(LexiconFile),
        "pro/plans/schema.json": _text(PlanFile),
        "pro/terms/schema.json": _text(TermsFile),
        "translations/schema.json": _text(WordsFile | PlanWordsFile | TermsWordsFile),
    }


def _text(shape: Any) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **TypeAdapter(shape).json_schema()}
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
