"""The commands about what is deployed, and their options.

They read the state table of one environment; `diagnose NAME`, `quarantine`,
`replay` and `erase` reach further.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lambdas.core.errors import BadInput

DATASETS, APIS, ENVIRONMENTS = Path("datasets"), Path("apis"), Path("environments")

Environment = Annotated[
    str, typer.Option("--env", metavar="NAME", help="Which environment is asked.")
]
Environments = Annotated[
    Path, typer.Option("--environments", metavar="DIR", help="Folder of environments.")
]
Datasets = Annotated[
    Path, typer.Option("--datasets", metavar="DIR", help="Folder of datasets.")
]
Apis = Annotated[Path, typer.Option("--apis", metavar="DIR", help="Folder of APIs.")]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")
]
Limit = Annotated[int, typer.Option(min=1, help="So many at most.")]


def add_to(app: typer.Typer) -> None:
    """Make the commands known."""
    for command in (
        status,
        history,
        runs,
        incidents,
        incident,
        diagnose,
        backfill,
        replay,
        quarantine,
        erase,
        cost,
    ):
        app.command()(command)


def status(
    *,
    env: Environment = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
) -> int:
    """Every dataset: state, newest event, age, next deadline, open incident.

    Wakes no warehouse. Ends with 1 if anything is warn, error or unknown.

    Example: catflap status --env prod
    """
    from cli.commands.status import run  # noqa: PLC0415 - imported when it runs

    del apis  # taken by every command
    return run(
        environment=env,
        environments=environments,
        datasets=datasets,
        as_json=as_json,
    )


def history(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A dataset; without, all causes ranked."),
    ] = None,
    *,
    days: Annotated[int, typer.Option(min=1, help="How far back.")] = 90,
    env: Environment = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
) -> int:
    """How late a dataset has been: attainment, error budget, incidents, causes.

    Wakes no warehouse.

    Example: catflap history flights --days 30
    """
    from cli.commands.history import run  # noqa: PLC0415 - imported when it runs

    del apis  # taken by every command
    return run(
        name,
        days=days,
        environment=env,
        environments=environments,
        datasets=datasets,
        as_json=as_json,
    )


def cost(
    *,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="From the YAML alone; asks nobody.")
    ] = False,
    env: Environment = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
) -> int:
    """What checks and dynamic tables will cost with every dataset on time.

    Example: catflap cost --estimate
    """
    if not estimate:
        raise BadInput(
            "the report of what was spent is not built yet; accepted: cost --estimate"
        )
    from cli.commands.cost import run  # noqa: PLC0415 - imported when it runs

    return run(
        environment=env,
        environments=environments,
        datasets=datasets,
        apis=apis,
        as_json=as_json,
    )


def runs(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset's name.")],
    *,
    limit: Limit = 20,
    env: Environment = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
) -> int:
    """The newest pulls of a dataset, and where its cursor stands.

    Example: catflap runs flights --limit 5
    """
    from cli.commands.runs import run  # noqa: PLC0415 - imported when it runs

    del apis  # taken by every command
    return run(
        name,
        limit=limit,
        environment=env,
        environments=environments,
        datasets=datasets,
        as_json=as_json,
    )


def incidents(
    *,
    limit: Limit = 20,
    env: Environment = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
) -> int:
    """What is wrong now, then what was.

    Example: catflap incidents --json
    """
    from cli.commands.incidents import list_all  # noqa: PLC0415 - imported when it runs

    del datasets, apis  # taken by every command
    return list_all(
        limit=limit, environment=env, environments=environments, as_json=as_json
    )


def incident(
    incident_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="Of an incident; or a dataset's open one."),
    ],
    *,
    ack: Annotated[bool, typer.Option("--ack", help="You have it.")] = False,
    eta: Annotated[
        str | None,
        typer.Option(
            metavar="ISO", help="When the data will be there; stakeholders are told."
        ),
    ] = None,
    cause: Annotated[
        str | None, typer.Option(metavar="CODE", help="What it really was.")
    ] = None,
    note: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A line for whoever reads next.")
    ] = None,
    fix: Annotated[
        str | None, typer.Option(metavar="URL", help="What keeps it from coming back.")
    ] = None,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Close it; told to all who knew.")
    ] = False,
    env: Environment = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
) -> int:
    """One incident, and what you have to say of it.

    Example: catflap incident flights --ack --eta 2026-11-23T14:00:00Z --note "API down"
    """
    from cli.commands.incidents import one  # noqa: PLC0415 - imported when it runs

    return one(
        incident_id,
        acknowledge=ack,
        eta=eta,
        cause=cause,
        note=note,
        fix=fix,
        resolve=resolve,
        environment=env,
        environments=environments,
        datasets=datasets,
        apis=apis,
        as_json=as_json,
    )


def diagnose(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A dataset whose signals are collected."),
    ] = None,
    *,
    signals: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Signals instead: one JSON document, or one a line; - is stdin.",
        ),
    ] = None,
    env: Environment = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Signals and verdict as JSON; one verdict a line."),
    ] = False,
) -> int:
    """Say where the data stopped: of a deployed dataset, or from signals alone.

    Example: catflap diagnose flights; catflap diagnose --signals signals.json
    """
    if (name is None) == (signals is None):
        raise BadInput(
            "one of NAME and --signals FILE is needed; "
            f"{'neither' if name is None else 'both'} came"
        )
    if signals is not None:
        from cli.commands.diagnose import run  # noqa: PLC0415 - imported when it runs

        return run(signals, as_json=as_json)
    from cli.commands.diagnose import run_deployed as run_on  # noqa: PLC0415 - the same

    return run_on(
        str(name),
        environment=env,
        environments=environments,
        datasets=datasets,
        apis=apis,
        as_json=as_json,
    )


def backfill(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset's name.")],
    *,
    start: Annotated[
        str, typer.Option("--from", metavar="ISO", help="Where the window begins.")
    ],
    end: Annotated[
        str, typer.Option("--to", metavar="ISO", help="Where it ends, itself left out.")
    ],
    slice_length: Annotated[
        str,
        typer.Option(
            "--slice",
            metavar="P1D",
            help="How much at once: an ISO 8601 duration, or a number if the cursor "
            "counts.",
        ),
    ] = "P1D",
    again: Annotated[
        bool, typer.Option("--again", help="Slices that have landed as well.")
    ] = False,
    landing: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="Pull the slices here, into file:///folder or s3://bucket/prefix.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --landing: the state of `pull`."),
    ] = None,
    parallel: Annotated[
        int, typer.Option(min=1, max=64, help="Slices at a time, with --landing.")
    ] = 4,
    env: Environment = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
) -> int:
    """Pull a past window in slices, beside the live pulls; the cursor stays.

    The same command goes on where an earlier one ended, and pulls nothing twice.

    Example: catflap backfill flights --from 2013-01-01T00:00:00Z
    --to 2013-02-01T00:00:00Z --slice P1D
    """
    from cli.commands.backfill import run  # noqa: PLC0415 - imported when it runs

    return run(
        name,
        start=start,
        end=end,
        slice_length=slice_length,
        again=again,
        landing=landing,
        state=state,
        parallel=parallel,
        environment=env,
        environments=environments,
        datasets=datasets,
        apis=apis,
        as_json=as_json,
    )


def replay(
    asked: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Names of datasets.")
    ],
    *,
    quarantined: Annotated[
        bool,
        typer.Option(
            "--quarantined", help="Land the rows in quarantine again, as they are."
        ),
    ] = False,
    fixed: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Land corrected rows: lines of `quarantine --rows`, `record` changed.",
        ),
    ] = None,
    dead_letters: Annotated[
        bool,
        typer.Option("--dead-letters", help="Queue dead pulls again, nothing else."),
    ] = False,
    env: Environment = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
) -> int:
    """Have loaded what was not, each thing exactly once.

    Without an option: resumes the pipe if it is paused, has it load what it was not
    told of, lands again what failed to load, and queues dead pulls again. Ends with 1
    if something is left that needs a person.

    Example: catflap replay flights; catflap replay flights --fixed fixed.ndjson
    """
    from cli.commands.replay import run  # noqa: PLC0415 - imported when it runs

    return run(
        asked,
        quarantined=quarantined,
        fixed=fixed,
        dead_letters=dead_letters,
        environment=env,
        environments=environments,
        datasets=datasets,
        apis=apis,
        as_json=as_json,
    )


def quarantine(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset's name.")],
    *,
    rows: Annotated[
        bool,
        typer.Option("--rows", help="The records as NDJSON, for `replay --fixed`."),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="So many rows at most.")] = 1_000,
    env: Environment = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
) -> int:
    """What was refused of a dataset: how many rows, and why.

    Example: catflap quarantine flights; catflap quarantine flights --rows > rows.ndjson
    """
    from cli.commands.quarantine import run  # noqa: PLC0415 - imported when it runs

    return run(
        name,
        rows=rows,
        limit=limit,
        environment=env,
        environments=environments,
        datasets=datasets,
        apis=apis,
        as_json=as_json,
    )


def erase(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset's name.")],
    *,
    key: Annotated[
        list[str],
        typer.Option(
            metavar="JSON",
            help="A primary key: its value, a list of its parts, or an object.",
        ),
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without, rows are only counted.")
    ] = False,
    env: Environment = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
) -> int:
    """Erase rows by primary key: landed objects, quarantine, table and view.

    Counts only, unless --yes is given. Ends with 1 if rows are left that it cannot
    judge. Time Travel, Fail-safe and backups keep what they keep: see
    docs/operations.md.

    Example: catflap erase customers --key 4711 --yes
    """
    from cli.commands.erase import run  # noqa: PLC0415 - imported when it runs

    return run(
        name,
        keys=key,
        yes=yes,
        environment=env,
        environments=environments,
        datasets=datasets,
        apis=apis,
        as_json=as_json,
    )
