"""What is generated from the models is what stands in the repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.deployed.environment import FROM_THE_SHELL
from cli.generate import COMMAND, ROOT, documents, main, stale
from cli.settings_page import VARIABLES
from lambdas.core.dataset import Api, Dataset
from project.model_words import fields_of


def test_schemas_and_reference_are_what_the_models_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert stale(ROOT) == [], f"not what the models say: run `{COMMAND}`"
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("model", [Dataset, Api])
def test_a_schema_is_for_what_a_file_holds(model: type[Dataset | Api]) -> None:
    path = Path(f"schemas/{model.__name__.lower()}.schema.json")
    schema = json.loads(documents()[path])
    assert set(schema["properties"]) == set(fields_of(model))
    assert schema["additionalProperties"] is False


def test_every_key_of_the_reference_has_a_meaning() -> None:
    text = next(text for path, text in documents().items() if path.suffix == ".md")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert [row for row in rows if row.rsplit("|", 2)[1].strip() == ""] == []


def test_every_variable_that_a_command_reads_is_in_the_reference() -> None:
    assert {name.upper() for name in FROM_THE_SHELL} <= set(VARIABLES)
