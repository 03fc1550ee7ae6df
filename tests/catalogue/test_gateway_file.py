"""Test the gateway file: read once, and refused with entry and reason if invalid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from pro.catalogue import CatalogueError
from pro.catalogue.gateway_file import gateway_file_text, read_gateway, text_hash
from pro.catalogue.yaml_source import load_yaml
from pro.core.sms_gateway import PER_DAY, ApprovedText, SmsGateway

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "gateway.example.yaml"
TEXT = "Type ${code} there."
SMALL = f"""
provider: twilio
links: yes
templates_only: no
templates:
  - {{message: form_message_code, language: en, id: T1, text: "{TEXT}", hash: {text_hash(TEXT)}}}
"""


def refused(tmp_path: Path, text: str, provider: str = "twilio") -> CatalogueError:
    path = tmp_path / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError) as found:
        read_gateway(path, provider)
    assert found.value.file == str(path)
    return found.value


def test_what_is_left_out_has_defaults(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(SMALL, encoding="utf-8")
    assert read_gateway(path, "twilio") == SmsGateway(
        provider="twilio", per_day=PER_DAY, templates=(ApprovedText("form_message_code", "en", "T1", TEXT),)
    )


@pytest.mark.parametrize(
    ("old", "new", "where", "sentence"),
    [
        ("provider: twilio", "provider: alibaba", "provider", "PRO_SMS is twilio"),
        ("links: yes", "links: maybe", "links", "'yes' or 'no'"),
        ("links: yes", "link: yes", "links", "Field required"),
        ("links: yes", "links: yes\nper_day: 0", "per_day", "greater than or equal to 1"),
        ("links: yes", "links: yes\nidentical_per_day: 0", "identical_per_day", "greater than or equal to 1"),
        ("Type ${code} there.", "Type ${code} here.", "templates.0 (form_message_code, en, T1)", "edited"),
        ("id: T1", "id: ''", "templates.0.id", "at least 1"),
        (text_hash(TEXT), "abc", "templates.0.hash", "pattern"),
        ("language: en", "language: English!", "templates.0.language", "pattern"),
    ],
)
def test_what_is_dubious_stops_the_start(tmp_path: Path, old: str, new: str, where: str, sentence: str) -> None:
    assert old in SMALL
    found = refused(tmp_path, SMALL.replace(old, new))
    assert found.where == where
    assert sentence in found.sentence


@pytest.mark.parametrize(
    "text", ["Type $code there.", "Type ${Code} there.", "Type {code}.", "Type %(code)s.", "${co de}"]
)
def test_a_mistyped_gap_is_refused(tmp_path: Path, text: str) -> None:
    found = refused(tmp_path, SMALL.replace(text_hash(TEXT), text_hash(text)).replace(TEXT, text))
    assert "A gap is written ${code}" in found.sentence


def test_a_text_twice_and_no_text_at_all(tmp_path: Path) -> None:
    assert "twice" in refused(tmp_path, SMALL + SMALL.splitlines()[-1] + "\n").sentence
    nothing = "provider: twilio\nlinks: no\ntemplates_only: yes\n"
    assert "nothing could be sent" in refused(tmp_path, nothing).sentence


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    for gateway in (
        read_gateway(EXAMPLE),
        SmsGateway(
            provider="g", templates=(ApprovedText("staff_call", "zh_Hans", 'a"b\\', '您好："${number}"\n\\ # x'),)
        ),
    ):
        path.write_text(gateway_file_text(gateway), encoding="utf-8")
        assert read_gateway(path) == gateway
        path.write_text(gateway_file_text(replace(gateway, identical_per_day=7, signature="【x】")), encoding="utf-8")
        assert read_gateway(path).identical_per_day == 7


def test_the_example_obeys_its_schema_and_says_that_its_ids_are_examples() -> None:
    schema = yaml.safe_load((ROOT / "deploy" / "gateway.schema.json").read_text("utf-8"))
    jsonschema.validate(load_yaml(EXAMPLE), schema)
    assert EXAMPLE.read_text("utf-8").startswith("# yaml-language-server: $schema=gateway.schema.json\n")
    ids = [one.id for one in read_gateway(EXAMPLE).templates]
    assert all("EXAMPLE" in name for name in ids)
    assert len(ids) == len(set(ids))
