"""Tell the owners of a dataset or model that something looks wrong with it.

Example: catflap report flights "no departures after noon" --env prod
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.deployed.environment import deployed, now, who
from cli.documents import incident_document
from lambdas.core.errors import BadInput
from lambdas.core.incidents.channels import routes
from lambdas.core.incidents.context import IncidentContext, context_of
from lambdas.core.incidents.human import PersonReport, as_seen
from lambdas.core.people.edit import report
from lambdas.core.quality.due import relations
from project.yaml_files import load_datasets, read_files

DONE = 0
LONGEST = 2_000


def run(
    name: options.Name,
    words: Annotated[
        str, typer.Argument(metavar="WORDS", help="What looks wrong, in your words.")
    ],
    *,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    models: options.Models = None,
    as_json: options.Json = False,
) -> int:
    """Open an incident, or add to the open one; engineers and stakeholders hear of it.

    Raises BadInput if there is no such dataset or the words are none.
    """
    if not 0 < len(words.strip()) <= LONGEST:
        raise BadInput(f"WORDS: 1 to {LONGEST:,} characters are accepted")
    subject = _subject(name, datasets, apis, options.models_of(datasets, models))
    reached = deployed(environment, environments=environments)
    with reached.reached():
        state = reached.incidents()
        told = PersonReport(
            dataset=name,
            by=who(),
            words=words.strip(),
            key=f"cli:{secrets.token_hex(8)}",
            evidence=as_seen(state.watch(name), subject),
        )
        incident = report(
            state,
            told,
            subject=subject,
            routes=routes(reached.settings.secrets_of_channels),
            now=now,
        )
    if as_json:
        print(json.dumps(incident_document(incident, now())))
    else:
        print(
            f"{incident.incident_id} holds your report; the next check tells the "
            "owners and the stakeholders"
        )
    return DONE


def _subject(name: str, datasets: Path, apis: Path, models: Path) -> IncidentContext:
    known = read_files(datasets, apis, models).sound
    if name in known.models:
        return context_of(relations(known)[name])
    return context_of(load_datasets([name], datasets=datasets, apis=apis)[name])
