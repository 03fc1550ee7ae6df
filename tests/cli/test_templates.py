"""Test ``flask templates``, and a start with a gateway file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from app import create_app, make_app_context, prepare
from pro.catalogue import CatalogueError
from pro.catalogue.gateway_file import read_gateway, text_hash
from pro.config import Config, ConfigReading
from pro.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "deploy" / "gateway.example.yaml"


@pytest.fixture
def mainland(config: Config) -> Config:
    """Return the application with the gateway of the example."""
    return replace(config, sms="alibaba", base_url="https://epro.example.org", gateway_file=EXAMPLE)


def run(config: Config, *arguments: str) -> Result:
    """Run ``flask templates ARGUMENTS`` in process."""
    return create_app(config).test_cli_runner().invoke(args=["templates", *arguments])


def edited(tmp_path: Path, old: str, new: str, *, hashed: bool = False) -> Path:
    """Return the example with ``old`` replaced.

    ``hashed``: both are complete texts, and the hash is recomputed.
    """
    text = EXAMPLE.read_text(encoding="utf-8")
    assert text.count(old) == 1
    text = text.replace(old, new)
    path = tmp_path / "gateway.yaml"
    path.write_text(text.replace(text_hash(old), text_hash(new)) if hashed else text, encoding="utf-8")
    return path


def test_the_example_passes(mainland: Config) -> None:
    result = run(mainland, "check")
    assert result.exit_code == 0, result.output
    assert "safety  zh_Hans  SMS_EXAMPLE_" in result.output
    assert "UCS-2" in result.output
    assert "error" not in result.output


def test_one_json_object_a_line(mainland: Config) -> None:
    said = [json.loads(line) for line in run(mainland, "check", "--json").output.splitlines()]
    texts = [one for one in said if one["kind"] == "text"]
    assert {one["id"] for one in texts} == {one.id for one in read_gateway(EXAMPLE).templates}
    assert set(texts[0]) == {"kind", "message", "language", "id", "encoding", "letters", "segments"}
    assert {one["kind"] for one in said} == {"text", "warning"}


def test_an_edited_text_is_refused(mainland: Config, tmp_path: Path) -> None:
    old = "Hello. We will call you today."
    result = run(mainland, "check", "--json", "--file", str(edited(tmp_path, old, "Hello. We call you today.")))
    assert result.exit_code == 1
    (said,) = [json.loads(line) for line in result.output.splitlines()]
    assert said["kind"] == "error"
    assert "staff_soon, en" in said["sentence"]


def problems_of(config: Config) -> tuple[str, ...]:
    """Return the problems that prevent a start with ``config``."""
    found = prepare(ConfigReading(config, (), frozenset()), checked=True)
    if found.app_context:
        found.app_context.engine.dispose()
    return found.problems


def test_what_differs_is_refused_and_so_is_the_start(mainland: Config, tmp_path: Path) -> None:
    old = "You will receive messages from us again. Reply STOP to get no more."
    path = edited(tmp_path, old, "You get messages again.", hashed=True)
    result = run(mainland, "check", "--file", str(path))
    assert result.exit_code == 1
    assert f"started  en: No approved template has this text, so it is not sent: {old}" in result.output
    production = replace(mainland, production=True, gateway_file=path)
    assert [one for one in problems_of(production) if "started en" in one and str(path) in one]


def test_the_start_asks_for_texts_only_where_texts_must_be_approved(mainland: Config) -> None:
    for config in (replace(mainland, production=True), replace(mainland, production=True, gateway_file=None)):
        assert [one for one in problems_of(config) if "gateway" in one] == []


def test_a_file_of_another_provider_stops_the_start(mainland: Config) -> None:
    with pytest.raises(CatalogueError, match="PRO_SMS is twilio"):
        make_app_context(replace(mainland, sms="twilio"))
    with pytest.raises(SystemExit):
        create_app(replace(mainland, sms="twilio"))


def test_a_conversation_behind_it_stops_the_start(mainland: Config) -> None:
    with pytest.raises(ConfigError) as refusal:
        make_app_context(replace(mainland, sms_two_way=True))
    assert "PRO_SMS_TWO_WAY" in refusal.value.problems[0]


def test_a_draft_is_a_file_to_fill_in(config: Config, mainland: Config, tmp_path: Path) -> None:
    path = tmp_path / "draft.yaml"
    path.write_text(run(config, "draft").output, encoding="utf-8")
    found = read_gateway(path, "file")
    assert {one.id for one in found.templates} == {"FILL-IN"}
    assert (found.links, found.templates_only, found.identical_per_day) == (False, True, 2)
    assert run(config, "check", "--file", str(path)).exit_code == 1
    path.write_text(run(mainland, "draft").output, encoding="utf-8")
    again, example = read_gateway(path), read_gateway(EXAMPLE)
    assert set(again.templates) == set(example.templates)
    assert replace(again, templates=()) == replace(example, templates=())
