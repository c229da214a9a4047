"""Pull what is new, as the deployed function does.

From this machine into a folder or bucket; or, with --env, by the deployed function.

Example: catflap pull flights --to file:///tmp/landing --state state.json

Example: catflap pull flights --env prod
"""

from __future__ import annotations

import dataclasses
import json
import random
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.one_machine.environment_secrets import EnvironmentSecrets
from cli.one_machine.file_state import FileState
from cli.one_machine.landing_zone import NoBus, landing_zone
from cli.one_machine.parents_first import ParentFailed, never_landed, pulled_first
from cli.one_machine.rate_files import RateFiles
from cli.one_machine.terminal_clock import TerminalClock
from cli.one_machine.wiring import sources
from cli.output import age, when
from cli.run_documents import run_document
from lambdas.adapters.environment import variables
from lambdas.adapters.landing.run_files import result_of
from lambdas.adapters.sources.parent_rows import LandedParents
from lambdas.adapters.sources.rate_budget import SharedBudgets
from lambdas.core.cursor.bound import cursor_bound
from lambdas.core.cursor.order import CursorOrder, CursorValue
from lambdas.core.dataset import Dataset
from lambdas.core.errors import BadInput
from lambdas.core.pull.engine import Puller, PullResult, SourceFactory
from lambdas.core.pull.run import RunStatus
from lambdas.core.text.count import counted
from project.fault import printable
from project.yaml_files import load_datasets

if TYPE_CHECKING:
    from cli.deployed.environment import Deployed

DONE, OUTSIDE_FAILED = 0, 3


def run(
    name: options.Name,
    *,
    to: Annotated[
        str | None,
        typer.Option(metavar="URI", help="file:///folder or s3://bucket/prefix."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where the cursor and the runs are kept."),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            "--env", metavar="NAME", help="Have the deployed function pull it."
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="With --env: wait for its run.")
    ] = True,
    until: Annotated[
        str | None,
        typer.Option(metavar="ISO", help="Pull what is new up to here, not further."),
    ] = None,
    window: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="START END", help="Pull this past window; the cursor stays."
        ),
    ] = None,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    environments: options.Environments = options.ENVIRONMENTS,
    as_json: options.Json = False,
) -> int:
    """Pull, and print the run. Returns 0, or 3 if the run failed.

    Raises BadInput, StateConflict (another pull has the state), LandingError,
    NotReached; a run that failed thereby is printed first.
    """
    if environment is not None:
        if to or state or until or window:
            raise BadInput("--env wakes what is deployed; leave out the other options")
        from cli.deployed.environment import deployed  # noqa: PLC0415 - what is deployed imports twice what a pull here does

        load_datasets([name], datasets=datasets, apis=apis)
        reached = deployed(environment, environments=environments)
        return _wake(name, reached, wait=wait, as_json=as_json)
    if to is None or state is None:
        raise BadInput(
            "--to URI and --state FILE say where a pull on this machine lands; "
            f"`catflap pull {name} --env NAME` wakes a deployed dataset"
        )
    catalogue = load_datasets([name], datasets=datasets, apis=apis)
    dataset = catalogue[name]
    start, end = _bounds(dataset, until=until, window=window)
    landing = landing_zone(to)
    clock = TerminalClock()
    shell = EnvironmentSecrets(variables=variables())
    pages = sources(
        clock,
        datasets=datasets,
        parents=LandedParents(landing=landing),
        budgets=SharedBudgets(
            store=RateFiles(folder=state.parent), clock=clock, random=random.random
        ),
    )
    pages = dataclasses.replace(pages, secrets=shell)
    with FileState(path=state) as file_state:

        def puller_of(source: SourceFactory) -> Puller:
            return Puller(
                landing=landing,
                state=file_state,
                events=NoBus(),
                clock=clock,
                source=source,
                random=secrets.token_bytes,
            )

        puller = puller_of(pages)
        if start is not None:
            _refuse_doubles(dataset, start, file_state)
        missing = never_landed(dataset, catalogue, landing)
        failed = pulled_first(missing, puller=puller, to=to)
        if failed is not None:
            parent = failed
            puller = puller_of(lambda _, __: ParentFailed(parent))
        before = {one.run_id for one in file_state.latest_runs(name, 1)}
        try:
            result = puller.pull(dataset, start=start, end=end)
        except Exception:
            for one in file_state.latest_runs(name, 1):
                is_new = one.run_id not in before
                if is_new and one.status is RunStatus.FAILED:
                    _print(PullResult(run=one), as_json=as_json)
            raise
    warnings = (*result.run.warnings, *shell.warnings)
    result = dataclasses.replace(
        result, run=dataclasses.replace(result.run, warnings=warnings)
    )
    _print(result, as_json=as_json)
    return DONE if result.run.status is RunStatus.LANDED else OUTSIDE_FAILED


def _wake(name: str, reached: Deployed, *, wait: bool, as_json: bool) -> int:
    """Queue a pull of a deployed dataset; its run, unless nobody waits for it."""
    from rich.console import Console  # noqa: PLC0415 - for who waits for one

    from cli.deployed.environment import now  # noqa: PLC0415 - what is deployed, for who names one
    from cli.deployed.wake import ENDED, PATIENCE, behind, wake  # noqa: PLC0415 - what is deployed, for who names one

    until, at = behind(name, reached), now()
    if until is not None and until > at:
        print(
            f"{name}: its last pull failed and is tried again at {when(until)}, in "
            f"{age(at, until)}; no other begins before that",
            file=sys.stderr,
        )
    progress = wake(name, reached)
    newest = next(progress)
    if not wait:
        print(f"{name}: the pull is queued", file=sys.stderr if as_json else sys.stdout)
        return DONE
    with Console(stderr=True).status(f"{name}: queued") as status:
        for newest in progress:
            if newest is not None:
                status.update(f"{name}: run {newest.run_id} is {newest.status.value}")
    if newest is None or newest.status not in ENDED:
        print(
            f"{name}: no run has ended within {PATIENCE}; `catflap runs {name} --env "
            f"{reached.environment.name}` shows what there is",
            file=sys.stderr,
        )
        return OUTSIDE_FAILED
    with reached.reached():
        bucket = reached.settings.landing_bucket
        result = result_of(newest, s3=reached.aws("s3"), bucket=bucket)
    _print(result, as_json=as_json)
    return DONE if newest.status is RunStatus.LANDED else OUTSIDE_FAILED


def _refuse_doubles(dataset: Dataset, start: CursorValue, state: FileState) -> None:
    """A window over what has landed lands it again; only merge makes one row of it."""
    landed = state.read(dataset.name).cursor.value
    if landed is None or dataset.write_disposition == "merge":
        return
    key = CursorOrder.of(dataset.source.cursor).bound_key
    if key(start) <= key(landed):
        raise BadInput(
            f"--window begins at {start}, and all up to {landed} has landed; "
            "its rows would be there twice. That needs `write_disposition: merge`, or "
            "a state of its own with --state"
        )


def _bounds(
    dataset: Dataset, *, until: str | None, window: tuple[str, str] | None
) -> tuple[CursorValue | None, CursorValue | None]:
    """What the pull asks for beside its cursor: (start, end)."""
    if until is not None and window is not None:
        raise BadInput("--until and --window exclude each other: a window has an end")
    if until is None and window is None:
        return None, None
    incremental = dataset.source.cursor
    if incremental is None:
        raise BadInput(
            f"{dataset.name} has no incremental in its source, so it is always "
            "pulled whole; leave out --until and --window"
        )
    if window is None:
        return None, cursor_bound("--until", str(until), incremental)
    start = cursor_bound("--window START", window[0], incremental)
    end = cursor_bound("--window END", window[1], incremental)
    key = CursorOrder.of(incremental).bound_key
    try:
        is_backwards = key(start) >= key(end)
    except (ValueError, TypeError):
        is_backwards = True
    if is_backwards:
        raise BadInput(f"--window {window[0]} {window[1]}: START must be before END")
    return start, end


def _print(result: PullResult, *, as_json: bool) -> None:
    run = result.run
    for warning in result.warnings:
        print(f"{run.dataset}: warning: {printable(warning)}", file=sys.stderr)
    if as_json:
        print(json.dumps(run_document(result)))
        return
    if run.status is RunStatus.LANDED:
        print(
            f"{run.dataset}: {counted(run.rows, 'row')} landed in "
            f"{counted(len(result.objects), 'object')} ({run.size:,} bytes), "
            f"{counted(run.pages, 'page')}, {counted(run.retries, 'retry')}; "
            f"cursor {_shown(run.cursor_before)} -> {_shown(run.cursor_after)}"
        )
        for item in result.objects:
            print(f"  {item.key}  {counted(item.rows, 'row')}")
        if run.quarantined:
            print(
                f"  not as the contract of {run.dataset} has them, and kept in "
                f"quarantine with the reason: {counted(run.quarantined, 'record')}"
            )
        for item in result.quarantined:
            print(f"  {item.key}  {counted(item.rows, 'record')}")
        return
    error = run.error
    why = f"{error.kind.value}: {error.message}" if error else "its uploads are gone"
    print(f"{run.dataset}: run {run.run_id} failed; {printable(why)}", file=sys.stderr)


def _shown(value: CursorValue | None) -> str:
    return "none" if value is None else printable(str(value))
