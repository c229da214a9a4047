"""Write the status page: one HTML file for the people who use the data.

It says what is late, since when, why and when to expect it; a click on a dataset shows
what an engineer wants to know. It asks nobody for anything, so it can be mailed or put
on any web server. Opened 30 minutes later it no longer says that anything is on time.

Example: catflap page --to status.html --env prod
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli.deployed.environment import deployed, now
from cli.deployed.local import LOCAL
from cli.options import (
    APIS,
    DATASETS,
    ENVIRONMENTS,
    Apis,
    Datasets,
    Env,
    Environments,
)
from lambdas.core.dataset import Catalogue
from lambdas.core.errors import BadInput
from project.yaml_files import read_files

DONE = 0

To = Annotated[Path, typer.Option("--to", metavar="FILE", help="Where to write it.")]


def run(
    *,
    to: To,
    environment: Env = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
) -> int:
    """Write the page; 0. Raises BadInput, BadFiles, NotReached."""
    from lambdas.adapters.reports.facts import read_facts  # noqa: PLC0415 - boto3
    from lambdas.adapters.reports.status_page import as_html  # noqa: PLC0415 - Jinja
    from lambdas.core.reports.status_page import status_page  # noqa: PLC0415 - as above

    reached = deployed(environment, environments=environments)
    files = read_files(datasets, apis)
    with reached.reached():
        facts = read_facts(
            Catalogue(datasets=dict(files.sound.datasets)),
            reached.incidents(),
            reached.runs(),
            environment=environment,
            now=now(),
            check_every=timedelta(seconds=reached.settings.check_every_s),
            simulated=environment == LOCAL,
        )
    html = as_html(status_page(facts), written_at=datetime.now(UTC))
    try:
        to.write_text(html)
    except OSError as error:
        raise BadInput(f"--to {to}: {error.strerror}; name a file to write") from None
    print(f"wrote {to}: {len(facts.catalogue.datasets)} datasets, {len(html):,} bytes")
    for name in sorted(files.faulty):
        print(f"{name} is not on it: its file has faults; `catflap check` lists them")
    return DONE
