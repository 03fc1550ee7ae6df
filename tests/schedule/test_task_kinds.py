"""Every kind of phone task is declared, with its reason and what ends it."""

from __future__ import annotations

import pytest
from flask import Flask

from pro.features.schedule import missed_forms
from pro.features.schedule.pages.labels import task_reason
from pro.models import TASK_KINDS
from pro.web import request_context


def test_the_kinds_are_those_that_code_makes() -> None:
    made = {
        missed_forms.DEATH_TASK,
        missed_forms.MISSED_FORM_TASK,
        missed_forms.POSSIBLE_STOP_TASK,
        missed_forms.UNCLEAR_ANSWER_TASK,
        missed_forms.UNREACHABLE_PHONE_TASK,
    }
    assert set(TASK_KINDS) == made
    # An answer does not show that texts reach the phone again.
    assert {name for name, kind in TASK_KINDS.items() if not kind.ended_by_answer} == {
        "phone_unreachable",
        "may_be_stop",
        "death_reported",
    }
    assert {name for name, kind in TASK_KINDS.items() if kind.waits_for_endpoint} == {"call_missed"}


@pytest.mark.parametrize(
    ("kind", "english", "chinese"),
    [
        ("call_missed", "", ""),
        ("phone_unreachable", "Text messages do not reach this phone", "短信无法送达该手机"),
        ("answer_unclear", "Replies were not understood repeatedly", "多次回复未能识别"),
        (
            "may_be_stop",
            "A text message may be an opt-out request. Ask the participant",
            "短信可能是要求退订，请向受试者问清",
        ),
        ("of_another_version", "", ""),
    ],
)
def test_a_kind_has_its_reason_in_both_languages(app: Flask, kind: str, english: str, chinese: str) -> None:
    for language, reason in (("en", english), ("zh_Hans", chinese)):
        with app.test_request_context(f"/staff/?lang={language}"):
            app.preprocess_request()
            request_context.set_language(language)
            assert task_reason(kind) == reason
