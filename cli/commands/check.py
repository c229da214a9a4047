"""Check all YAML: each fault and warning is a line on stderr.

A promise that fails even when every pull and load is on time is a fault. With
--env, also what only an environment decides: its own file, its teams, where its secrets
may go, how many schedules a stack takes, and how long its pulls take.

Example: catflap check --datasets datasets --apis apis --env dev
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.output import columns
from cli.sandbox import SandboxFinding, look_at
from lambdas.adapters.environment import SystemClock
from lambdas.core.dataset import Catalogue
from lambdas.core.errors import CatflapError
from lambdas.core.freshness.promise import is_promised
from lambdas.core.quality.due import relations
from lambdas.core.quality.release import added_delay
from project.dataset_faults import broken_promises, dataset_fault, sql_faults
from project.environment_file import (
    audience_warnings,
    button_warnings,
    environment_faults,
    loopback_warnings,
    mention_warnings,
)
from project.fault import Fault
from project.yaml_files import ProjectFiles, read_files

DONE, BAD_INPUT = 0, 2


def run(
    *,
    environment: Annotated[
        str | None,
        typer.Option("--env", metavar="NAME", help="The environment to check as well."),
    ] = None,
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    models: options.Models = None,
    as_json: options.Json = False,
) -> int:
    """Print faults and warnings on stderr, a summary on stdout. Returns the exit code:
    0 (warnings or not) or 2.
    """
    written = read_files(datasets, apis, options.models_of(datasets, models))
    wrong = _python_faults(written, datasets)
    wrong += sql_faults(written.whole, datasets)
    usual_runs: Mapping[str, timedelta] = {}
    not_known = ""
    if environment is not None:
        wrong += environment_faults(environments, environment, written.sound, datasets)
        warned = [
            *loopback_warnings(written.sound, datasets),
            *audience_warnings(environments, environment),
            *button_warnings(environments, environment),
        ]
        if not wrong:
            usual_runs, said, not_known = _remembered(
                environment, environments, written
            )
            warned += mention_warnings(environments, environment, said)
        written = replace(written, warnings=(*written.warnings, *warned))
    wrong += broken_promises(
        written.sound.datasets,
        datasets,
        now=SystemClock().now(),
        usual_runs=usual_runs,
    )
    if wrong:
        written = replace(written, faults=tuple(sorted({*written.faults, *wrong})))
    for fault in (*written.faults, *written.warnings):
        print(fault, file=sys.stderr)
    if as_json:
        print(json.dumps(_document(written)))
    elif written.catalogue is None:
        count = len(written.faults)
        files = len({fault.file for fault in written.faults})
        print(
            f"{count} fault{'s' * (count != 1)} in {files} file{'s' * (files != 1)}",
            file=sys.stderr,
        )
    else:
        print(_summary(written.catalogue, apis=len(written.apis), folder=datasets))
        print(not_known, end="")
        for name, dataset in sorted(written.catalogue.datasets.items()):
            if (delay := added_delay(dataset)) is not None:
                print(f"{name}: {delay}")
    return DONE if written.catalogue is not None else BAD_INPUT


def _python_faults(written: ProjectFiles, datasets: Path) -> list[Fault]:
    """What is wrong with Python sources, each imported once in a fence of its own."""
    named = written.sound.datasets
    at = ("source", "python")
    wrong: list[Fault] = []
    looked: dict[str, SandboxFinding] = {}
    for name, dataset in sorted(named.items()):
        reference = dataset.source.python
        if reference is None:
            continue
        if reference not in looked:
            looked[reference] = look_at(reference, root=datasets.resolve().parent)
        sentence = looked[reference].sentence
        if sentence is not None:
            wrong.append(dataset_fault(datasets, name, at, sentence))
    return wrong


def _remembered(
    environment: str, environments: Path, written: ProjectFiles
) -> tuple[Mapping[str, timedelta], list[str], str]:
    """How long a pull of each dataset takes there and whom a page would not mention, or
    why that is not known.
    """
    from cli.deployed.environment import deployed  # noqa: PLC0415 - for who names one
    from cli.deployed.remembered import unknown_mentions, usual_runs  # noqa: PLC0415 - boto3, for who names one

    sound = written.sound
    promised = [x for x, one in sound.datasets.items() if is_promised(one.freshness)]
    try:
        reached = deployed(environment, environments=environments)
        runs = usual_runs(reached, promised)
        return runs, unknown_mentions(reached, relations(sound)), ""
    except CatflapError as error:
        not_known = (
            f"how long pulls take in {environment} is not known ({error}); promises "
            "were checked as if they took no time\n"
        )
        return {}, [], not_known


def _document(written: ProjectFiles) -> dict[str, object]:
    names = written.sound.datasets
    return {
        "valid": written.catalogue is not None,
        "datasets": sorted(names),
        "apis": sorted(written.apis),
        "faults": [*map(_told, written.faults)],
        "warnings": [*map(_told, written.warnings)],
    }


def _told(fault: Fault) -> dict[str, object]:
    return {
        "file": fault.file,
        "line": fault.line,
        "key": fault.key,
        "message": fault.sentence,
    }


def _summary(catalogue: Catalogue, *, apis: int, folder: Path) -> str:
    if not catalogue.datasets:
        return (
            f"no dataset is declared in {folder} yet; `catflap new NAME --from URL` "
            "writes one"
        )
    rows = []
    for name, dataset in sorted(catalogue.datasets.items()):
        schedule = dataset.schedule
        at = f"cron {schedule.cron}" if schedule.cron else f"every {schedule.rate}"
        zone = f"{at} {schedule.timezone}"
        rows.append((name, zone, dataset.write_disposition, dataset.owner.team))
    count = len(rows)
    return (
        f"{columns(('dataset', 'schedule', 'disposition', 'owner'), rows)}\n\n"
        f"{count} dataset{'s' * (count != 1)}, {apis} API{'s' * (apis != 1)}"
        f"{_models(len(catalogue.models))}: all valid"
    )


def _models(count: int) -> str:
    return f", {count} model{'s' * (count != 1)}" if count else ""
