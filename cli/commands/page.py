"""Write the status page: one HTML file for the people who use the data.

It says what is late, since when, why and when to expect it; a click on a dataset shows
what an engineer wants to know. It loads nothing from the network, so it can be mailed
or put on any web server. After 30 minutes it no longer shows anything as on time.
--link prints an address of the page that the reports function wrote last.

Example: catflap page --to status.html --env prod
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli.deployed.environment import Deployed, NotReached, deployed, now
from cli.deployed.local import LOCAL
from cli.options import (
    APIS,
    DATASETS,
    ENVIRONMENTS,
    Apis,
    Datasets,
    Env,
    Environments,
    Models,
    models_of,
)
from cli.output import age
from lambdas.core.dataset import Catalogue
from lambdas.core.errors import BadInput
from lambdas.core.reports.page.status_page import status_page
from lambdas.core.text.count import counted
from project.yaml_files import read_files

DONE = 0

LINK_LASTS = timedelta(hours=1)

To = Annotated[
    Path | None, typer.Option("--to", metavar="FILE", help="Where to write it.")
]
Link = Annotated[
    bool,
    typer.Option("--link", help="Print an address of the deployed page, for an hour."),
]


def run(
    *,
    to: To = None,
    link: Link = False,
    environment: Env = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    models: Models = None,
) -> int:
    """Write the page, or print where it is. Raises BadInput, BadFiles, NotReached."""
    if (to is None) is not link:
        raise BadInput("page: say one of --to FILE and --link")
    reached = deployed(environment, environments=environments)
    if to is None:
        _print_link(reached)
        return DONE
    files = read_files(datasets, apis, models_of(datasets, models))
    count, size = _write(to, reached, files.sound)
    print(f"wrote {to}: {counted(count, 'dataset')}, {size:,} bytes")
    for name in sorted(files.faulty):
        print(f"{name} is not on it: its file has faults; `catflap check` lists them")
    return DONE


def _write(to: Path, reached: Deployed, catalogue: Catalogue) -> tuple[int, int]:
    """How many datasets it shows, and its bytes."""
    from lambdas.adapters.reports.facts import read_facts  # noqa: PLC0415 - boto3
    from lambdas.adapters.reports.status_page import as_html  # noqa: PLC0415 - Jinja

    name = reached.environment.name
    with reached.reached():
        facts = read_facts(
            catalogue,
            dynamodb=reached.aws("dynamodb"),
            table=reached.settings.state_table,
            environment=name,
            now=now(),
            check_every=timedelta(seconds=reached.settings.check_every_s),
            pointers=reached.pointers,
            simulated=name == LOCAL,
        )
    html = as_html(status_page(facts), written_at=datetime.now(UTC))
    try:
        to.write_text(html)
    except OSError as error:
        raise BadInput(f"--to {to}: {error.strerror}; name a file to write") from None
    return len(catalogue.datasets), len(html.encode())


def _print_link(reached: Deployed) -> None:
    from lambdas.adapters.reports.page_object import KEY, PageObject  # noqa: PLC0415 - boto3

    s3, bucket = reached.aws("s3"), reached.settings.landing_bucket
    with reached.reached():
        made_at = PageObject(s3=s3, bucket=bucket).made_at()
        if made_at is None:
            raise NotReached(
                f"there is no page in {bucket} yet; the reports function of "
                f"{reached.environment.name} writes one every 15 minutes"
            )
        address = s3.generate_presigned_url(
            "get_object",
            Params={"Bucket": bucket, "Key": KEY},
            ExpiresIn=round(LINK_LASTS.total_seconds()),
        )
    print(address)
    print(
        f"made {age(made_at, now())} ago; anyone with the address can read it for an "
        f"hour, or until your credentials expire if that is sooner",
        file=sys.stderr,
    )
