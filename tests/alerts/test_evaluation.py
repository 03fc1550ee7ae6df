"""Free texts are screened as they come; a person reads every one of them (docs/domain.md 5)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pro.core.rule_language.level import Level
from pro.features.alerts.evaluation import FREE_TEXT


@pytest.mark.parametrize(
    ("text", "level", "advice"),
    [
        ("谢谢医生", Level.WATCH, ""),
        ("没有流鼻血", Level.WATCH, ""),
        ("鼻子里很臭", Level.URGENT, ""),
        ("鼻血止住了", Level.URGENT, ""),
        ("流鼻血止不住", Level.EMERGENCY, "bleeding"),
        ("I can't breathe", Level.EMERGENCY, "general"),
        ("不想活了", Level.EMERGENCY, "crisis"),
        # Bleeding comes first only if it is an emergency itself.
        ("不想活了，还在大出血", Level.EMERGENCY, "bleeding"),
        ("不想活了，痰里有点血丝", Level.EMERGENCY, "crisis"),
        ("胸痛，不想活了", Level.EMERGENCY, "crisis"),
        ("我爸昨天大出血走了", Level.WATCH, ""),
    ],
)
def test_a_text_is_as_loud_as_what_it_says(any_clinic, text, level, advice):
    phone = any_clinic.start()
    phone.save(free_text=text)
    found = any_clinic.alerts()[FREE_TEXT]
    assert (Level(found.level), found.advice) == (level, advice)
    assert text not in str(found.inputs)
    assert phone.form().advice == (advice or None)
    assert bool(any_clinic.mails()) == (level >= Level.URGENT)


def test_a_text_that_becomes_worse_is_told_and_an_acknowledged_one_again(any_clinic, clock):
    phone = any_clinic.start()
    phone.save(free_text="有点累")
    assert not any_clinic.mails()
    phone.save(free_text="有点累，鼻子里很臭")
    first = len(any_clinic.mails())
    assert first
    any_clinic.acknowledge()
    phone.save(free_text="有点累，鼻子里很臭，还掉出烂肉")
    assert len(any_clinic.mails()) == 2 * first
    phone.save(weight=Decimal("61.5"))
    assert len(any_clinic.mails()) == 2 * first
