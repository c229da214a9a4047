"""Erase rows by primary key: landed objects, quarantine, table and view.

Only counts them unless --yes is given. Exits with 1 if rows are left whose key cannot
be read. Time Travel, Fail-safe and backups still hold them: see docs/operations.md.

A pull that is running cannot land what it has read. Delete the rows upstream first, or
the next pull brings them back.

Example: catflap erase customers --key 4711 --yes
"""

# The order: landed objects, quarantine, table. With the objects gone nothing can bring
# back into the table what is deleted there. Each step may be done again and finds what
# is left, so that an erasure that died is repeated with the same command.

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import typer

from cli import options
from cli.deployed.environment import now
from cli.deployed.tools import RepairTools, repair_tools
from cli.output import columns, iso, when
from lambdas.adapters.landing.versions import ErasableObjects, ObjectVersion
from lambdas.adapters.state.loads import LoadTable
from lambdas.core.dataset import Dataset
from lambdas.core.errors import BadInput, StateConflict
from lambdas.core.landing.names import ARCHIVE, RAW, RUNS, raw_name
from lambdas.core.landing.quarantine import quarantine_prefix
from lambdas.core.loading.erasure import (
    Erasure,
    Keys,
    archived_key,
    emptied_line,
    emptied_receipt,
    keys_of,
    record_of,
)
from lambdas.core.loading.replay import REPLAYED
from lambdas.core.pull.run import split_name
from lambdas.core.sql import repair as repairing
from lambdas.core.text.count import counted

DONE, NOT_WELL = 0, 1
PASSES = 5
LONGEST_RUN = timedelta(minutes=20)
"""A function ends after 15."""


@dataclass(slots=True, kw_only=True)
class _Found:
    """What has to go, and what cannot be judged."""

    landed: int = 0
    quarantined: int = 0
    table: int = 0
    objects: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Eraser:
    known: RepairTools
    dataset: Dataset
    keys: Keys
    objects: ErasableObjects
    found: _Found
    seen: set[ObjectVersion] = dataclasses.field(default_factory=set)

    def count(self) -> None:
        """Count what is there."""
        self._go_through(for_good=False)

    def erase(self) -> None:
        """Erase what is there, and what landed meanwhile.

        Raises BadInput if rows of theirs still come when that was done a few times.
        """
        for _ in range(PASSES):
            before = self.found.objects
            self._go_through(for_good=True)
            if self.found.objects == before:
                return
        raise BadInput(
            f"rows of {self.dataset.name} with this key still land: erase them "
            "upstream first, then ask again; what had landed is erased"
        )

    def _go_through(self, *, for_good: bool) -> None:
        for prefix in (RAW, ARCHIVE):
            for version in self._versions(f"{prefix}{self.dataset.name}/"):
                self._landed(version, for_good=for_good)
        for version in self._versions(quarantine_prefix(self.dataset.name)):
            self._quarantined(version, for_good=for_good)
        self._rows(for_good=for_good)

    def _versions(self, prefix: str) -> list[ObjectVersion]:
        """Those that were not looked at before."""
        found = [
            one
            for one in self.objects.versions(prefix)
            if not one.is_marker and one not in self.seen
        ]
        self.seen.update(found)
        return found

    def _landed(self, version: ObjectVersion, *, for_good: bool) -> None:
        mine = self._count(self.objects.lines(version), bytes)
        if not mine:
            return
        self.found.landed += mine if version.is_latest else 0
        self.found.objects += 1
        if not for_good:
            return
        if version.is_latest:
            kept = (
                line for line in self.objects.lines(version) if not self._is_mine(line)
            )
            # its content follows from the object: a repetition writes the same
            self.objects.overwrite(archived_key(version.key), kept)
            self.objects.delete(self._all_of(version.key))
        else:
            self.objects.delete([version])

    def _quarantined(self, version: ObjectVersion, *, for_good: bool) -> None:
        mine = self._count(self.objects.lines(version), record_of)
        if not mine:
            return
        self.found.quarantined += mine if version.is_latest else 0
        self.found.objects += 1
        if not for_good:
            return
        if version.is_latest:
            is_receipt = REPLAYED in version.key
            emptied = emptied_receipt if is_receipt else emptied_line
            kept = [
                emptied(line) if self._is_mine(record_of(line)) else line
                for line in self.objects.lines(version)
            ]
            self.objects.overwrite(version.key, kept)
        self.objects.delete(
            one for one in self._all_of(version.key) if not one.is_latest
        )

    def _all_of(self, key: str) -> list[ObjectVersion]:
        return [one for one in self.objects.versions(key) if one.key == key]

    def _count(self, lines: Iterator[bytes], record: Callable[[bytes], bytes]) -> int:
        mine = 0
        for line in lines:
            try:
                mine += self.keys.are_of(record(line) or b"null")
            except ValueError:
                self.found.unreadable += 1
        return mine

    def _is_mine(self, record: bytes) -> bool:
        try:
            return self.keys.are_of(record or b"null")
        except ValueError:
            return False

    def _rows(self, *, for_good: bool) -> None:
        database, values = self.known.database, sorted(self.keys.values)
        count = repairing.count_keys(database, self.dataset, values)
        rows = int(str(self.known.warehouse.query(count)[0][0]))
        self.found.table += rows
        if not for_good or not rows:
            return
        # before its rows go: an erasure that dies in between finds them again
        if self.dataset.write_disposition == "replace":
            self._amend_runs(values)
        self.known.warehouse.query(
            repairing.delete_keys(database, self.dataset, values)
        )

    def _amend_runs(self, values: Sequence[Sequence[str]]) -> None:
        """A run that has fewer rows than its file says would never be shown again, and
        the run before it would be, as would one that has none left.
        """
        counted = self.known.warehouse.query(
            repairing.rows_left(self.known.database, self.dataset, values)
        )
        for run_id, file, rows in counted:
            key = str(file)[str(file).index(RAW) :]
            if raw_name(key) is not None and self.known.landing.get(
                f"{RUNS}{self.dataset.name}/{run_id}.json"
            ):
                self.known.relanding.amend(key, rows_in_table=int(str(rows)))


def run(
    name: options.Name,
    *,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="JSON",
            help="A primary key: its value, a list of its parts, or an object.",
        ),
    ] = None,
    records: Annotated[
        bool,
        typer.Option(
            "--records",
            help="List the erasures that were made; with --key those of that key.",
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Erase them; without it they are counted.")
    ] = False,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    as_json: options.Json = False,
) -> int:
    """Count the rows, or erase them with `yes`.

    Raises BadInput, NotReached, LandingError, WarehouseError.
    """
    with repair_tools(
        [name],
        environment=environment,
        environments=environments,
        datasets=datasets,
        apis=apis,
        as_admin=True,
    ) as known:
        dataset = known.catalogue[name]
        if records:
            _print_records(known.watch, dataset, key or (), as_json=as_json)
            return DONE
        if not key:
            raise BadInput("says no --key; accepted: one or more, or --records")
        wanted = keys_of(dataset, key)
        _refuse_while_loading(known, dataset)
        found = _Found()
        eraser = _Eraser(
            known=known,
            dataset=dataset,
            keys=wanted,
            objects=ErasableObjects(
                s3=known.reached.aws("s3"),
                bucket=known.reached.settings.landing_bucket,
            ),
            found=found,
        )
        if yes:
            salt = secrets.token_hex(16)
            record = Erasure(
                dataset=name,
                started_at=now(),
                who=known.reached.aws("sts").get_caller_identity()["Arn"],
                salt=salt,
                keys=wanted.hashes(salt),
            )
            _fence(known, dataset)
            known.watch.record_erasure(record)
            eraser.erase()
            # any bad row that a check has shown may be theirs
            known.reached.checks().forget_samples(name)
            known.watch.record_erasure(
                dataclasses.replace(
                    record,
                    finished_at=now(),
                    landed_rows=found.landed,
                    quarantined_rows=found.quarantined,
                    table_rows=found.table,
                    objects=found.objects,
                )
            )
        else:
            eraser.count()
    _print(name, len(wanted.values), found, yes=yes, as_json=as_json)
    return NOT_WELL if found.unreadable else DONE


def _refuse_while_loading(known: RepairTools, dataset: Dataset) -> None:
    """What is still to be loaded would bring the rows back."""
    table = known.reached.runs()
    awaited = [
        run.run_id for run in known.watch.landed() if run.dataset == dataset.name
    ]
    awaited += [
        name
        for name in table.committing_datasets()
        if split_name(name)[0] == dataset.name
    ]
    if awaited:
        raise BadInput(
            f"not seen loaded yet: "
            f"{counted(len(awaited), 'run')} of {dataset.name}, such as "
            f"{awaited[0]}: their rows would come back; wait for the next check, or "
            f"`catflap replay {dataset.name}`, and ask again"
        )


def _fence(known: RepairTools, dataset: Dataset) -> None:
    """What pulls that are under way have read before the erasure does not land.

    Raises BadInput if one of them is just landing.
    """
    table = known.reached.runs()
    running = table.running_slices(dataset.name, now() - LONGEST_RUN)
    if running:
        raise BadInput(
            f"being pulled: "
            f"{counted(len(running), 'slice')} of a backfill of {dataset.name}, "
            f"such as {running[0]}: their rows would come back; ask again when they "
            "have landed"
        )
    try:
        table.fence(dataset.name)
    except StateConflict as error:
        raise BadInput(f"{error}: ask again in a minute") from error


def _print_records(
    watch: LoadTable, dataset: Dataset, written: Sequence[str], *, as_json: bool
) -> None:
    keys = keys_of(dataset, written) if written else None
    made = [
        one for one in watch.erasures(dataset.name) if keys is None or keys.are_in(one)
    ]
    if as_json:
        print(
            json.dumps({"dataset": dataset.name, "records": list(map(_record, made))})
        )
        return
    if not made:
        print(f"{dataset.name}: no erasure{' of this key' if keys else ''} was made")
        return
    head = ("started", "finished", "keys", "landed", "quarantine", "table", "by")
    rows = [
        (
            when(one.started_at),
            when(one.finished_at),
            str(len(one.keys)),
            str(one.landed_rows),
            str(one.quarantined_rows),
            str(one.table_rows),
            one.who,
        )
        for one in made
    ]
    print(columns(head, rows))


def _record(one: Erasure) -> dict[str, object]:
    return {
        "started_at": iso(one.started_at),
        "finished_at": iso(one.finished_at),
        "who": one.who,
        "keys": len(one.keys),
        "landed_rows": one.landed_rows,
        "quarantined_rows": one.quarantined_rows,
        "table_rows": one.table_rows,
        "objects": one.objects,
    }


def _print(name: str, keys: int, found: _Found, *, yes: bool, as_json: bool) -> None:
    document = {
        "dataset": name,
        "keys": keys,
        "erased": yes,
        "landed_rows": found.landed,
        "quarantined_rows": found.quarantined,
        "table_rows": found.table,
        "objects": found.objects,
        "unreadable_rows": found.unreadable,
    }
    if as_json:
        print(json.dumps(document))
        return
    verb = "erased" if yes else "would be erased"
    print(
        f"{name}: {found.landed} landed rows, {found.quarantined} in quarantine and "
        f"{found.table} in the table {verb}, in {counted(found.objects, 'object')}"
    )
    if found.unreadable:
        print(
            f"the keys of "
            f"{counted(found.unreadable, 'row')} in quarantine cannot be read, since "
            f"the rows are not JSON; `catflap quarantine {name} --rows` prints them"
        )
    if not yes:
        print("nothing is erased yet; add --yes to erase them")
