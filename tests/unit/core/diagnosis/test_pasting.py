"""What a next step tells people to type can be pasted as it stands."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from lambdas.core.diagnosis.assessment import assess
from lambdas.core.diagnosis.causes import RULES
from lambdas.core.diagnosis.causes.rule import Rule
from lambdas.core.diagnosis.signals import Deployment, Signals, signals_from_json
from tests.unit.core.diagnosis.signal_documents import random_document
from tests.unit.texts.test_texts import arguments_of, fault_of

DEPLOYED = Deployment(
    environment="prod",
    landing_bucket="catflap-prod-landing-123456789012-eu-west-1",
    database="CATS_PROD",
    generation=7,
)
PLACEHOLDER = re.compile(r"<\w|\bNone\b|_BUCKET\b|\bSTART\b|\bVALUE\b|\bNAME\b|[…{}]")
_SPAN = re.compile(r"`([^`]+)`")
HERE = {"preview", "check"}
"""Commands that ask no deployed environment."""


@pytest.fixture(scope="module")
def documents() -> list[Signals]:
    made = [random_document(seed) for seed in range(300)]
    return [
        signals_from_json(json.dumps({**one, "dataset": "cat_data"})) for one in made
    ]


def steps_of(rule: Rule, documents: list[Signals], where: Deployment) -> set[str]:
    """What the rule says of any signals, whether or not it holds."""
    return {
        rule.next_step(assess(one.model_copy(update={"deployment": where})))
        for one in documents
    }


@pytest.mark.parametrize("where", [DEPLOYED, Deployment()], ids=["deployed", "file"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_no_next_step_holds_a_placeholder_and_every_command_parses(
    rule: Rule, where: Deployment, documents: list[Signals]
) -> None:
    for step in steps_of(rule, documents, where):
        assert not PLACEHOLDER.search(step), step
        assert "  " not in step
        for span in _SPAN.findall(step):
            words = arguments_of(span)
            assert words is None or fault_of(words) is None, span


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_next_step_names_the_environment_the_bucket_and_the_database(
    rule: Rule, documents: list[Signals]
) -> None:
    for step in steps_of(rule, documents, DEPLOYED):
        for span in _SPAN.findall(step):
            words = arguments_of(span)
            if words and len(words) > 1 and words[0] not in HERE:
                assert words[-2:] == ["--env", "prod"], span
            if span.startswith("aws "):
                assert DEPLOYED.landing_bucket in span
            assert "RAW." not in span.replace("CATS_PROD.RAW.", ""), span


def test_some_commands_were_looked_at(documents: list[Signals]) -> None:
    named = Counter(
        span.split()[0]
        for rule in RULES
        for step in steps_of(rule, documents, DEPLOYED)
        for span in _SPAN.findall(step)
    )
    assert named["catflap"] > len(RULES)
    assert named["aws"] >= 3
    assert named["ALTER"] >= 1
