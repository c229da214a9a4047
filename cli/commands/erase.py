"""Erase rows by primary key: landed objects, quarantine, table and view.

Only counts them unless --yes is given. Exits with 1 if rows are left whose key cannot
be read. Time Travel, Fail-safe and backups keep what they keep: see docs/operations.md.

Example: catflap erase customers --key 4711 --yes
"""

# The order: landed objects, quarantine, table. With the objects gone nothing can bring
# back into the table what is deleted there. Each step may be done again and finds what
# is left, so that an erasure that died is repeated with the same command.

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from cli.deployed.environment import now
from cli.deployed.tools import RepairTools, repair_tools
from cli.options import (
    APIS,
    DATASETS,
    ENVIRONMENTS,
    Apis,
    Datasets,
    Env,
    Environments,
    Json,
    Name,
)
from lambdas.adapters.landing.versions import ErasableObjects, ObjectVersion
from lambdas.core.dataset import Dataset
from lambdas.core.errors import BadInput
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
from lambdas.core.sql import names
from lambdas.core.sql import repair as repairing

DONE, NOT_WELL = 0, 1


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

    def go_through(self, *, for_good: bool) -> None:
        """Count what is there, or erase it."""
        for prefix in (RAW, ARCHIVE):
            for version in self._versions(f"{prefix}{self.dataset.name}/"):
                self._landed(version, for_good=for_good)
        for version in self._versions(quarantine_prefix(self.dataset.name)):
            self._quarantined(version, for_good=for_good)
        self._rows(for_good=for_good)

    def _versions(self, prefix: str) -> list[ObjectVersion]:
        return [one for one in self.objects.versions(prefix) if not one.is_marker]

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
        self.found.table = int(str(self.known.warehouse.query(count)[0][0]))
        if not for_good:
            return
        if self.found.table:
            self.known.warehouse.query(
                repairing.delete_keys(database, self.dataset, values)
            )
        if self.dataset.write_disposition == "replace":
            self._amend_runs()

    def _amend_runs(self) -> None:
        """A run that has fewer rows than its file says would never be shown again."""
        table = names.raw_table(self.known.database, self.dataset.name)
        counted = self.known.warehouse.query(
            f"SELECT _RUN_ID, _FILE, COUNT(*) OVER (PARTITION BY _RUN_ID) FROM {table} "  # noqa: S608 - names of our own
            "QUALIFY ROW_NUMBER() OVER (PARTITION BY _RUN_ID ORDER BY _FILE) = 1"
        )
        for run_id, file, rows in counted:
            key = str(file)[str(file).index(RAW) :]
            if raw_name(key) is not None and self.known.landing.get(
                f"{RUNS}{self.dataset.name}/{run_id}.json"
            ):
                self.known.relanding.amend(key, rows_in_table=int(str(rows)))


def run(
    name: Name,
    *,
    key: Annotated[
        list[str],
        typer.Option(
            metavar="JSON",
            help="A primary key: its value, a list of its parts, or an object.",
        ),
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Erase them; without it they are counted.")
    ] = False,
    environment: Env = "dev",
    environments: Environments = ENVIRONMENTS,
    datasets: Datasets = DATASETS,
    apis: Apis = APIS,
    as_json: Json = False,
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
            known.watch.record_erasure(record)
            eraser.go_through(for_good=True)
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
            eraser.go_through(for_good=False)
    _print(name, len(wanted.values), found, yes=yes, as_json=as_json)
    return NOT_WELL if found.unreadable else DONE


def _refuse_while_loading(known: RepairTools, dataset: Dataset) -> None:
    """What is still to be loaded would bring the rows back."""
    awaited = [
        run.run_id for run in known.watch.landed() if run.dataset == dataset.name
    ]
    state = known.reached.runs().read(dataset.name)
    if state.committing is not None:
        awaited.append(state.committing)
    if awaited:
        raise BadInput(
            f"{len(awaited)} runs of {dataset.name} are not seen loaded yet, such as "
            f"{awaited[0]}: their rows would come back; wait for the next check, or "
            f"`catflap replay {dataset.name}`, and ask again"
        )


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
        f"{found.table} in the table {verb}, in {found.objects} objects"
    )
    if found.unreadable:
        print(
            f"{found.unreadable} rows in quarantine are no JSON, so that their key "
            f"cannot be read: look at them with `catflap quarantine {name} --rows`"
        )
    if not yes:
        print("nothing was changed: --yes does it")
