"""Breaking things for real, and mending them as somebody with a console would."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from lambdas.core.landing.names import RAW
from lambdas.core.sql import access, generation, loading, names
from lambdas.core.sql import freshness as watching
from local.aws.invoke import DeployedFunction
from local.aws.resources.messages import DeployedSchedule
from local.drills.project import DATASETS, PULL_EVERY, SECRETS
from local.drills.source import Manners
from local.drills.stage import FRESHNESS, PULL, REPAIR, Ground, Stage

LOST = timedelta(minutes=150)
"""How much of a table's end is lost where rows are."""
TOO_FAR = datetime(2100, 1, 1, tzinfo=UTC)


# upstream ----------------------------------------------------------------------------
def misbehave(stage: Stage, dataset: str, **manners: Any) -> None:  # noqa: ANN401 - the fields of Manners
    """Let the API answer otherwise."""
    stage.sources[dataset].manners = Manners(**manners)


def behave(stage: Stage, dataset: str) -> None:
    """Let it answer as it should."""
    stage.sources[dataset].manners = Manners()


def hold(stage: Stage, dataset: str) -> None:
    """Nothing new from now on."""
    stage.sources[dataset].is_held = True


def hold_and_pull(stage: Stage, dataset: str) -> None:
    """Nothing new from now on, and what there is gets pulled."""
    hold(stage, dataset)
    stage.live(PULL_EVERY + timedelta(minutes=5))


def release(stage: Stage, dataset: str) -> None:
    """All that was held back appears."""
    stage.sources[dataset].is_held = False
    stage.sources[dataset].release(stage.now)


def revoke_token(stage: Stage, dataset: str) -> None:
    """The API's owner replaces our token."""
    stage.sources[dataset].token = "the-second-token"  # noqa: S105 - of an API of our own


def renew_token(stage: Stage, dataset: str) -> None:
    """The new token is put into the secret; running functions are started anew."""
    token = stage.sources[dataset].token
    stage.client("secretsmanager").put_secret_value(
        SecretId=SECRETS[dataset], SecretString=json.dumps({"token": token})
    )
    # What a deployment does: a warm function keeps what it has read.
    for handler in (PULL, FRESHNESS):
        _redeploy(stage, handler, {"RENEWED": token})


def poison(stage: Stage, dataset: str) -> None:
    """Somebody sets the cursor to the year 2100; no pull of ours goes there itself."""
    _set_cursor(stage, dataset, TOO_FAR)


def unpoison(stage: Stage, dataset: str) -> None:
    """The cursor is set to the newest row there is."""
    table = _table(stage, dataset)
    newest = stage.stack.warehouse(f"SELECT MAX(_EVENT_AT) FROM {table}")[0][0]
    _set_cursor(stage, dataset, newest)


def _set_cursor(stage: Stage, dataset: str, at: datetime) -> None:
    """As `catflap reset` does."""
    cursor = json.dumps(f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    stage.client("dynamodb").update_item(
        TableName=stage.state_table,
        Key={"pk": {"S": f"DATASET#{dataset}"}, "sk": {"S": "STATE"}},
        UpdateExpression="SET #c = :c ADD #v :one REMOVE remembered, edge_key",
        ExpressionAttributeNames={"#c": "cursor", "#v": "version"},
        ExpressionAttributeValues={":c": {"S": cursor}, ":one": {"N": "1"}},
    )


# functions and schedules -------------------------------------------------------------
def set_schedule(stage: Ground, part: str, *, is_on: bool) -> None:
    """Switch the one schedule whose name ends with `part`, in AWS."""
    scheduler = stage.client("scheduler")
    resources = stage.stack.deployment.resources
    for address, existing in resources.items():
        schedule = existing.created.details
        if not isinstance(schedule, DeployedSchedule) or part not in schedule.name:
            continue
        now = scheduler.get_schedule(Name=schedule.name)
        kept = (
            "Name", "ScheduleExpression", "ScheduleExpressionTimezone", "Target",
            "FlexibleTimeWindow",
        )  # fmt: skip
        scheduler.update_schedule(
            **{name: now[name] for name in kept if name in now},
            State="ENABLED" if is_on else "DISABLED",
        )
        created = dataclasses.replace(
            existing.created, details=dataclasses.replace(schedule, enabled=is_on)
        )
        resources[address] = dataclasses.replace(existing, created=created)
        return
    raise LookupError(f"no schedule's name holds {part}")


def _redeploy(stage: Ground, handler: str, environment: dict[str, str]) -> None:
    function = stage.function(handler)
    changed = {**function.environment, **environment}
    _replace(stage, dataclasses.replace(function, environment=changed))


def _replace(stage: Ground, function: DeployedFunction) -> None:
    stage.stack.deployment.functions[function.logical_id] = function


def break_environment(stage: Ground) -> None:
    """A deployment by hand forgets where the pull function lands its rows."""
    function = stage.function(PULL)
    left = {
        name: value
        for name, value in function.environment.items()
        if name != "LANDING_BUCKET"
    }
    _replace(stage, dataclasses.replace(function, environment=left))


def mend_environment(stage: Ground) -> None:
    """The template's environment again."""
    _redeploy(stage, PULL, {"LANDING_BUCKET": stage.stack.bucket()})


def kill_pulls(stage: Stage, dataset: str) -> None:
    """Every pull of a dataset is killed in the middle, as for want of memory."""

    def kill() -> None:
        for pid in stage.stack.host.pids(stage.function(PULL)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    misbehave(stage, dataset, before_answer=kill)


# permissions -------------------------------------------------------------------------
class Policies:
    """The inline policies of a role, to be taken away and given back."""

    def __init__(
        self, service: str, *, takes: Callable[[str], bool] = lambda _: True
    ) -> None:
        """Of `service` (`s3`) every action is taken away, in the statements whose
        `Sid` is one that it `takes`.
        """
        self._service = service
        self._takes = takes
        self._kept: dict[str, dict[str, Any]] = {}

    def take(self, stage: Ground, role: str) -> None:
        """Take away all that the role may do at the service."""
        iam = stage.client("iam")
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=name)
            self._kept[name] = document["PolicyDocument"]
            left = [
                statement
                for statement in document["PolicyDocument"]["Statement"]
                if not self._takes(statement.get("Sid", ""))
                or not any(
                    action.startswith(f"{self._service}:")
                    for action in _listed(statement["Action"])
                )
            ]
            kept = {**document["PolicyDocument"], "Statement": left}
            iam.put_role_policy(
                RoleName=role, PolicyName=name, PolicyDocument=json.dumps(kept)
            )

    def give_back(self, stage: Ground, role: str) -> None:
        """As it was."""
        for name, document in self._kept.items():
            stage.client("iam").put_role_policy(
                RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document)
            )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def pull_role(stage: Ground) -> str:
    """The pull function's role."""
    return stage.function(PULL).role_arn.rpartition("/")[2]


def access_role(stage: Ground) -> str:
    """The role that Snowflake reads with."""
    return f"catflap-{stage.stack.project.environment.name}-snowflake"


# the way into the table --------------------------------------------------------------
class Wiring:
    """The bucket's notifications."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def cut(self, stage: Ground) -> None:
        """Somebody's deployment empties the configuration."""
        s3, bucket = stage.client("s3"), stage.stack.bucket()
        found = s3.get_bucket_notification_configuration(Bucket=bucket)
        found.pop("ResponseMetadata", None)
        self._kept = found
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={}
        )

    def mend(self, stage: Ground) -> None:
        """The configuration again, and a REFRESH for what was not told."""
        stage.client("s3").put_bucket_notification_configuration(
            Bucket=stage.stack.bucket(), NotificationConfiguration=self._kept
        )
        database = _database(stage)
        for dataset in stage.stack.project.catalogue.datasets:
            stage.stack.warehouse(loading.refresh_pipe(_pipe(stage, dataset)))
        stage.stack.warehouse(loading.refresh_pipe(names.runs_pipe(database)))


def misplace_pipe(stage: Stage, dataset: str) -> None:
    """The pipe is made anew by hand, over a folder that nothing lands in."""
    _make_pipe(stage, dataset, f"{RAW}{dataset}/", f"{RAW}the_{dataset}/")


def replace_pipe(stage: Stage, dataset: str) -> None:
    """The right pipe again, and what it missed of today."""
    _make_pipe(stage, dataset, f"{RAW}the_{dataset}/", f"{RAW}{dataset}/")
    _refresh_today(stage, dataset)


def _refresh_today(stage: Stage, dataset: str) -> None:
    """A new pipe knows nothing of what was loaded: not more again than need be."""
    pipe = _pipe(stage, dataset)
    for day in {(stage.now - LOST).date(), stage.now.date()}:
        stage.stack.warehouse(f"ALTER PIPE {pipe} REFRESH PREFIX = 'dt={day}/'")


def _make_pipe(stage: Stage, dataset: str, before: str, after: str) -> None:
    pipe = _pipe(stage, dataset)
    described = stage.stack.warehouse(f"DESC PIPE {pipe}")[0]
    copy, topic = str(described[4]), str(described[6])
    stage.stack.warehouse(f"DROP PIPE {pipe}")
    stage.stack.warehouse(
        f"CREATE PIPE {pipe} AUTO_INGEST = TRUE AWS_SNS_TOPIC = '{topic}' AS "
        + copy.replace(before, after)
    )
    repairer = stage.stack.project.environment.snowflake.repair_login.role
    for grant in access.pipe_grants(pipe, reader=_reader(stage), repairer=repairer):
        stage.stack.warehouse(grant)


def pause(stage: Ground, dataset: str) -> None:
    """Somebody pauses the pipe."""
    stage.stack.set_pipe_paused(dataset, is_paused=True)


def resume(stage: Ground, dataset: str) -> None:
    """The pipe runs again."""
    stage.stack.set_pipe_paused(dataset, is_paused=False)


def misformat_pipe(stage: Stage, dataset: str) -> None:
    """The pipe is made anew by hand, for files that are not compressed."""
    _make_pipe(stage, dataset, "COMPRESSION = GZIP", "COMPRESSION = NONE")


def reformat_pipe(stage: Stage, dataset: str) -> None:
    """The right pipe again, and what it missed of today."""
    _make_pipe(stage, dataset, "COMPRESSION = NONE", "COMPRESSION = GZIP")
    _refresh_today(stage, dataset)


def load_in_part(stage: Stage, dataset: str) -> None:
    """The pipe is made anew by hand so that it goes on after errors; and of the next
    rows, the last for a while, one is refused by Snowflake, and good ones follow.
    """
    _make_pipe(stage, dataset, "ON_ERROR = SKIP_FILE", "ON_ERROR = CONTINUE")
    names_of_rows = ("Tom", "T\0m", "Tom", "Tom")
    for second, name in enumerate(names_of_rows, 1):
        moment = stage.now + timedelta(seconds=second)
        stage.sources[dataset].add(moment, name=name)
    hold(stage, dataset)


def load_the_rest(stage: Stage, dataset: str) -> None:
    """The repair lands what was left out and sees it loaded, as it does by itself where
    it is not switched off; the right pipe again; and upstream goes on.
    """
    event = {"reason": "schedule", "due_at": stage.now.isoformat()}
    for _ in ("lands", "sees it loaded"):
        stage.stack.host.invoke(stage.function(REPAIR), event, now=stage.now)
        stage.stack.fabric.drain(stage.now)
    _make_pipe(stage, dataset, "ON_ERROR = CONTINUE", "ON_ERROR = SKIP_FILE")
    release(stage, dataset)


def _copy_object(stage: Stage, key: str) -> None:
    s3, bucket = stage.client("s3"), stage.stack.bucket()
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    stem, _, end = key.rpartition("-")
    number = int(end.partition(".")[0]) + 50_000
    s3.put_object(Bucket=bucket, Key=f"{stem}-{number:05d}.ndjson.gz", Body=body)


# the table ---------------------------------------------------------------------------
class SameNames:
    """Objects that are written a second time under their names."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def rewrite(self, stage: Stage, dataset: str) -> None:
        """The last rows are deleted and their objects put again under their names,
        while upstream has nothing new: somebody thinks Snowpipe will read them again.
        """
        hold_and_pull(stage, dataset)
        _delete_last(stage, dataset)
        self._keys = _lately_landed(stage, dataset)
        s3, bucket = stage.client("s3"), stage.stack.bucket()
        for key in self._keys:
            body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            s3.put_object(Bucket=bucket, Key=key, Body=body)

    def rename(self, stage: Stage, dataset: str) -> None:
        """The same objects by new names, and the old ones removed."""
        for key in self._keys:
            _copy_object(stage, key)
            stage.client("s3").delete_object(Bucket=stage.stack.bucket(), Key=key)
        release(stage, dataset)


def _lately_landed(stage: Stage, dataset: str) -> list[str]:
    pages = stage.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=stage.stack.bucket(), Prefix=f"{RAW}{dataset}/")
    return [
        item["Key"]
        for page in found
        for item in page.get("Contents", [])
        if stage.now - item["LastModified"] < LOST
    ]


def delete_rows(stage: Stage, dataset: str) -> None:
    """The table's last rows are deleted, while upstream has nothing new."""
    hold_and_pull(stage, dataset)
    _keep(stage, dataset)
    _delete_last(stage, dataset)


def _delete_last(stage: Stage, dataset: str) -> None:
    since = (stage.now - LOST).isoformat()
    stage.stack.warehouse(
        f"DELETE FROM {_table(stage, dataset)} "
        f"WHERE _EVENT_AT > '{since}'::TIMESTAMP_TZ"
    )


def restore_rows(stage: Stage, dataset: str) -> None:
    """The rows as they were, and upstream goes on."""
    table, kept = _table(stage, dataset), _kept(stage, dataset)
    since = f"(SELECT MAX(_EVENT_AT) FROM {table})"
    stage.stack.warehouse(
        f"INSERT INTO {table} SELECT * FROM {kept} WHERE _EVENT_AT > {since}"
    )
    stage.stack.warehouse(f"DROP TABLE {kept}")
    release(stage, dataset)


def drop_table(stage: Stage, dataset: str) -> None:
    """The table is dropped."""
    _keep(stage, dataset)
    stage.stack.warehouse(f"DROP TABLE {_table(stage, dataset)}")


def restore_table(stage: Stage, dataset: str) -> None:
    """The table as it was, readable for the monitor, and its pipe goes on."""
    table, kept = _table(stage, dataset), _kept(stage, dataset)
    description = stage.stack.project.catalogue[dataset]
    warehouse = stage.stack.warehouse
    warehouse(loading.create_table(_database(stage), description))
    warehouse(f"INSERT INTO {table} SELECT * FROM {kept}")
    warehouse(f"DROP TABLE {kept}")
    _grant_table(stage, dataset)
    resume(stage, dataset)


def _keep(stage: Stage, dataset: str) -> None:
    stage.stack.warehouse(
        f"CREATE TABLE {_kept(stage, dataset)} AS "
        f"SELECT * FROM {_table(stage, dataset)}"
    )


def drop_event_times(stage: Stage, dataset: str) -> None:
    """Upstream renames the column that says when."""
    misbehave(stage, dataset, event_field="seen")


def refill_event_times(stage: Stage, dataset: str) -> None:
    """Upstream names it as before, and rows without a time get theirs."""
    behave(stage, dataset)
    stage.stack.warehouse(
        f"UPDATE {_table(stage, dataset)} "
        "SET _EVENT_AT = TRY_CAST(PAYLOAD:seen::VARCHAR AS TIMESTAMP_TZ) "
        "WHERE _EVENT_AT IS NULL"
    )


# the monitor -------------------------------------------------------------------------
def revoke_select(stage: Stage, dataset: str) -> None:
    """The monitor's role may read neither the table nor the view over it."""
    role = _reader(stage)
    stage.stack.warehouse(
        f"REVOKE SELECT ON TABLE {_table(stage, dataset)} FROM ROLE {role}"
    )
    stage.stack.warehouse(f"REVOKE SELECT ON VIEW {_view(stage)} FROM ROLE {role}")


def grant_select(stage: Stage, dataset: str) -> None:
    """It may again."""
    _grant_table(stage, dataset)
    stage.stack.warehouse(
        access.freshness_view_grant(_view(stage), reader=_reader(stage))
    )


def _grant_table(stage: Stage, dataset: str) -> None:
    snowflake = stage.stack.project.environment.snowflake
    for grant in access.raw_table_grants(
        _table(stage, dataset),
        reader=snowflake.reader.role,
        repairer=snowflake.repair_login.role,
        removes_old_runs=False,
    ):
        stage.stack.warehouse(grant)


def misconfigure_view(stage: Stage, dataset: str) -> None:
    """Somebody puts a column of local time into the monitor's view: five hours off."""
    text = _view_text(stage)
    table = _table(stage, dataset)
    right = f"MAX(_EVENT_AT) AS NEWEST_EVENT_AT, MAX(_LOADED_AT) AS NEWEST_LOADED_AT, COUNT(*) AS ROW_COUNT, COUNT(_EVENT_AT) AS EVENT_ROWS FROM {table}"  # noqa: E501 - one branch of the view, as it is written
    if right not in text:
        raise LookupError(f"the view has no branch for {table}: {text}")
    wrong = right.replace("MAX(_EVENT_AT)", "MAX(_EVENT_AT) - INTERVAL '5 hours'", 1)
    stage.stack.warehouse(text.replace(right, wrong))


def configure_view(stage: Stage) -> None:
    """The view that a deployment makes."""
    stage.stack.warehouse(_view_text(stage))


def _view_text(stage: Stage) -> str:
    return watching.create_freshness_view(_database(stage), _view(stage), DATASETS)


def _view(stage: Stage) -> str:
    (view,) = watching.freshness_views(_database(stage), DATASETS)
    return view


def silence_slack(stage: Stage, dataset: str) -> None:
    """Slack answers 503; and there is something to tell."""
    stage.stack.slack.is_down = True
    pause(stage, dataset)


def restore_slack(stage: Stage, dataset: str) -> None:
    """Slack answers again; and the pipe runs."""
    stage.stack.slack.is_down = False
    resume(stage, dataset)


def _database(stage: Ground) -> str:
    return stage.stack.project.environment.snowflake.database


def _reader(stage: Ground) -> str:
    return stage.stack.project.environment.snowflake.reader.role


def _table(stage: Stage, dataset: str) -> str:
    return names.raw_table(_database(stage), dataset)


def _kept(stage: Stage, dataset: str) -> str:
    return f"{_table(stage, dataset)}_KEPT"


def _pipe(stage: Ground, dataset: str) -> str:
    number = generation(stage.stack.project.catalogue[dataset])
    return names.pipe(_database(stage), dataset, number)


def resume_all(stage: Ground) -> None:
    """Every pipe that stands still runs again, that of the runs included."""
    database = _database(stage)
    pipes = [_pipe(stage, name) for name in stage.stack.project.catalogue.datasets]
    for pipe in (*pipes, names.runs_pipe(database)):
        stage.stack.warehouse(f"ALTER PIPE {pipe} SET PIPE_EXECUTION_PAUSED = FALSE")
