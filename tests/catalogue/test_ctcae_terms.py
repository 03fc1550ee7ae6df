"""Test the CTCAE terms of the product against CTCAE v5.0 (docs/domain.md 2.4)."""

from __future__ import annotations

import pytest

from tests.catalogue.test_catalogue import whole

CATALOGUE = whole()
TERMS = CATALOGUE.terms.terms
# What the standard has, term by term. The second reader compared it with three independent copies of the standard.
GRADES = {
    (1, 2, 3, 4, 5): (
        "mucositis_oral pharyngeal_mucositis pharyngeal_hemorrhage epistaxis dysphagia dermatitis_radiation vomiting "
        "diarrhea anorexia dyspnea pneumonitis fever stroke depression hyperglycemia colitis glossopharyngeal_nerve "
        "vagus_nerve other"
    ),
    (1, 2, 3, 4): "hearing_impaired suicidal_ideation myositis alt_increased",
    (1, 2, 3): (
        "dry_mouth trismus pain headache nausea fatigue weight_loss cough rash_maculo_papular pruritus "
        "chest_pain_cardiac tinnitus oculomotor_nerve trigeminal_nerve abducens_nerve facial_nerve hypoglossal_nerve"
    ),
    (2, 3, 4, 5): "myocarditis",
    (3, 4, 5): "pharyngeal_necrosis febrile_neutropenia sepsis stevens_johnson suicide_attempt",
    (4, 5): "toxic_epidermal_necrolysis",
    (1, 2): "palpitations",
    (2,): "presyncope",
    (3,): "syncope",
    (5,): "death_nos sudden_death_nos",
}


def test_each_term_has_the_grades_of_version_5():
    """Nineteen terms had a grade 5 that the standard does not have."""
    expected = {term: grades for grades, named in GRADES.items() for term in named.split()}
    assert {key: term.grades for key, term in TERMS.items()} == expected


def test_necrosis_of_grade_3_is_feeding_that_does_not_suffice():
    """Found: it said that feeding through the gut is impossible, although tube feeding is one of its treatments."""
    for language, said in (("en", "cannot be fed enough through the gut"), ("zh_Hans", "经胃肠道进食不足")):
        assert said in CATALOGUE.term_words[language]["pharyngeal_necrosis"].grades[3]


def test_a_suspected_nerve_disorder_colitis_or_necrolysis_has_its_term():
    offered = CATALOGUE.terms.suggested
    assert "colitis" in offered["diarrhea"]
    assert "toxic_epidermal_necrolysis" in offered["stevens_johnson"]
    assert {"abducens_nerve", "oculomotor_nerve", "facial_nerve"} <= set(offered["cranial_nerve"])


@pytest.mark.parametrize(
    ("language", "term", "meant"),
    [
        ("en", "pharyngeal_necrosis", "parenteral feeding"),
        ("zh_Hans", "pharyngeal_necrosis", "静脉营养"),
        ("en", "chest_pain_cardiac", "new"),
        ("zh_Hans", "chest_pain_cardiac", "新出现"),
    ],
)
def test_the_meaning_of_grade_3_follows_version_5(language: str, term: str, meant: str):
    """Tube feeding and new onset came with version 5.0; the words were those of version 4.03."""
    assert meant in CATALOGUE.term_words[language][term].grades[3]
