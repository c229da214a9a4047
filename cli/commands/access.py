"""Show who can read or change each dataset, in Snowflake and on S3.

Snowflake's grants are followed through the roles that inherit them to their users; no
warehouse is woken. In AWS the policies of every role and user of the account are read.
What this login may not see is listed. Keep the --json of one day, and --since shows
what was granted and removed later.

--week asks Snowflake's views, which are up to three hours late: what was granted
and removed in seven days and by whom, what nobody has used in 90 days, who sees
personal columns.

Example: catflap access flights --env prod
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import options
from cli.deployed.environment import Deployed, deployed, now
from cli.deployed.principals import principals
from cli.deployed.usage import access_week
from cli.output import columns, iso
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake.grants import ShownGrants
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.core.columns.declared import personal_columns
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.errors import BadInput
from lambdas.core.landing.names import RAW
from lambdas.core.reports import access_week as access_report
from lambdas.core.reports.access import Access, Grantee, access_of, changed
from lambdas.core.reports.policies import ObjectAccess, object_access
from project.fault import printable
from project.names import refuse_unknown
from project.yaml_files import read_files

DONE = 0

Since = Annotated[
    Path | None,
    typer.Option("--since", metavar="FILE", help="The --json of an earlier day."),
]
Only = Annotated[
    str | None, typer.Argument(metavar="NAME", help="A dataset; without it, all.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetAccess:
    """Who can do what with one dataset, and its columns that are personal."""

    dataset: Dataset
    snowflake: Sequence[Access]
    aws: Sequence[ObjectAccess]

    @property
    def personal(self) -> tuple[str, ...]:
        """Columns that say something of a person."""
        return personal_columns(self.dataset)


def run(
    name: Only = None,
    *,
    since: Since = None,
    week: Annotated[
        bool, typer.Option("--week", help="What changed in the last seven days.")
    ] = False,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    models: options.Models = None,
    as_json: options.Json = False,
) -> int:
    """Print it; 0. Raises BadInput, BadFiles, NotReached."""
    before = None if since is None else _earlier(since)
    reached = deployed(environment, environments=environments)
    if week and name is not None:
        raise BadInput("--week tells of all datasets; leave out NAME")
    catalogue = read_files(datasets, apis, options.models_of(datasets, models)).sound
    sound = catalogue.datasets
    if name is not None:
        refuse_unknown(name, sound, apis=apis)
    wanted = [sound[one] for one in sorted(sound) if name in {None, one}]
    if week:
        return _week(reached, catalogue, as_json=as_json)
    found, unseen = _look(reached, wanted)
    document = _document(found, unseen, environment)
    if as_json:
        print(json.dumps(document | _changes(before, found)))
        return DONE
    for one in found:
        print(_shown(one))
    for text in _told(before, found):
        print(text)
    if unseen:
        print("not seen:")
    for text in unseen:
        print(f"  {printable(text)}")
    return DONE


def _week(reached: Deployed, catalogue: Catalogue, *, as_json: bool) -> int:
    facts = access_week(reached, catalogue)
    parts = access_report.report(facts)
    if as_json:
        said = {title.lower().replace(" ", "_"): all_ for title, all_ in parts.items()}
        print(json.dumps({"simulated": facts.simulated, **said}))
        return DONE
    print(access_report.headline(facts))
    for title, lines in parts.items():
        print("\n".join([f"{title}:", *(f"  {printable(line)}" for line in lines)]))
        if not lines:
            print("  nothing")
    return DONE


def _look(
    reached: Deployed, datasets: Sequence[Dataset]
) -> tuple[list[DatasetAccess], list[str]]:
    # The connector signs for a region, and asks only this variable for it.
    os.environ.setdefault("AWS_REGION", reached.environment.region)
    warehouse = SnowflakeWarehouse(
        settings=reached.settings,
        secrets=SecretsManagerSecrets(client=lambda: reached.aws("secretsmanager")),
        connector=snowflake_connector,
    )
    bucket = f"arn:aws:s3:::{reached.settings.landing_bucket}"
    with closing(warehouse), reached.reached():
        account = list(principals(reached.aws("iam")))
        shown = ShownGrants(
            warehouse=warehouse, database=reached.settings.snowflake_database
        )
        found = [
            DatasetAccess(
                dataset=one,
                snowflake=access_of(shown.of(one), shown.holders),
                aws=object_access(account, f"{bucket}/{RAW}{one.name}/g0/x"),
            )
            for one in datasets
        ]
    return found, shown.unseen


def _document(
    found: Sequence[DatasetAccess], unseen: Sequence[str], environment: str
) -> dict[str, object]:
    """For scripts, and for --since."""
    return {
        "environment": environment,
        "now": iso(now()),
        "datasets": [
            {
                "dataset": one.dataset.name,
                "team": one.dataset.owner.team,
                "personal": one.personal,
                "snowflake": [_access_document(each) for each in one.snowflake],
                "aws": [
                    {"kind": each.kind, "name": each.name, "can": each.can}
                    for each in one.aws
                ],
            }
            for one in found
        ],
        "not_seen": list(unseen),
    }


def _access_document(one: Access) -> dict[str, object]:
    return {
        "kind": one.who.kind.lower(),
        "name": one.who.name,
        "on": one.on,
        "can": one.can,
        "via": one.via,
    }


def _earlier(file: Path) -> Mapping[str, list[Access]]:
    """What an earlier `--json` said, by dataset."""
    try:
        said = json.loads(file.read_text())
        return {
            one["dataset"]: [_read(each) for each in one["snowflake"]]
            for one in said["datasets"]
        }
    except OSError as error:
        raise BadInput(f"--since {file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise BadInput(
            f"--since {file}: is not what `catflap access --json` printed"
        ) from None


def _read(one: Mapping[str, Any]) -> Access:
    return Access(
        who=Grantee(kind=one["kind"].upper(), name=one["name"]),
        on=one["on"],
        can=tuple(one["can"]),
        via=tuple(one["via"]),
    )


def _changes(
    before: Mapping[str, list[Access]] | None, found: Sequence[DatasetAccess]
) -> dict[str, object]:
    if before is None:
        return {}
    changes = {}
    for one in found:
        granted, removed = changed(before.get(one.dataset.name, ()), one.snowflake)
        if granted or removed:
            changes[one.dataset.name] = {
                "granted": [_access_document(each) for each in granted],
                "removed": [_access_document(each) for each in removed],
            }
    return {"changes": changes}


def _told(
    before: Mapping[str, list[Access]] | None, found: Sequence[DatasetAccess]
) -> Iterator[str]:
    """What changed since, a line each."""
    if before is None:
        return
    lines = []
    for one in found:
        granted, removed = changed(before.get(one.dataset.name, ()), one.snowflake)
        for word, all_ in (("granted", granted), ("removed", removed)):
            lines += [f"{word} since: {_sentence(each)}" for each in all_]
    yield from lines or ["nothing was granted or removed since"]


def _sentence(one: Access) -> str:
    via = f" by {' < '.join(one.via)}" if one.via else ""
    said = f"{one.who.kind.lower().replace('_', ' ')} {one.who.name}"
    return printable(f"{said} may {', '.join(one.can)} {one.on}{via}")


def _shown(one: DatasetAccess) -> str:
    rows = [
        (
            each.who.kind.lower().replace("_", " "),
            printable(each.who.name),
            ", ".join(each.can),
            printable(each.on),
            printable(" < ".join(each.via)) or "-",
        )
        for each in one.snowflake
    ]
    rows += [
        (f"AWS {each.kind}", printable(each.name), ", ".join(each.can), "objects", "-")
        for each in one.aws
    ]
    head = ("who", "name", "may", "on", "by the roles")
    personal = f" (personal: {', '.join(one.personal)})" if one.personal else ""
    return f"{one.dataset.name}{personal}\n{columns(head, rows)}\n"
