"""The statements fakesnow has no words for, and what each answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import islice

from snowflake.connector.errors import ProgrammingError

from lambdas.core.sql.privileges import RULES, Need
from local.snowflake.access_control import Session, Thing, missing
from local.snowflake.account import (
    Account,
    DynamicTable,
    Pipe,
    Stage,
    StorageIntegration,
    exists_already,
)
from local.snowflake.answers import (
    IF,
    IF_NOT,
    NAMED,
    OR_NOT,
    REST,
    Answer,
    Handler,
    done,
)
from local.snowflake.aws_side import PermissionMissing, SnowflakeAws
from local.snowflake.dynamic_tables import DynamicTables
from local.snowflake.role_statements import RoleStatements
from local.snowflake.snowpipe import Snowpipe
from local.snowflake.text import NAME, complete, options, parse_copy, texts

MOST_SHOWN = 10_000
"""SHOW answers no more rows, and does not say that it cut any."""


class Statements:
    """Understands a statement, or leaves it to fakesnow."""

    def __init__(
        self,
        *,
        account: Account,
        aws: SnowflakeAws,
        snowpipe: Snowpipe,
        dynamic: DynamicTables,
    ) -> None:
        self._account = account
        self._dynamic = dynamic
        self._access = account.access
        self._aws = aws
        self._pipes = snowpipe
        patterns: dict[str, Handler] = {
            **RoleStatements(account).patterns,
            rf"CREATE\s+{OR_NOT}STORAGE\s+INTEGRATION\s+{IF_NOT}{NAMED}\s+{REST}": (
                self._create_integration
            ),
            rf"CREATE\s+{OR_NOT}NOTIFICATION\s+INTEGRATION\s+{IF_NOT}{NAMED}"
            rf"\s+{REST}": self._create_notification_integration,
            rf"ALTER\s+(?:STORAGE\s+)?INTEGRATION\s+{IF}{NAMED}\s+SET\s+{REST}": (
                self._alter_integration
            ),
            rf"DESC(?:RIBE)?\s+(?:STORAGE\s+|NOTIFICATION\s+)?INTEGRATION\s+{NAMED}": (
                self._describe_integration
            ),
            rf"CREATE\s+{OR_NOT}STAGE\s+{IF_NOT}{NAMED}\s+{REST}": self._create_stage,
            rf"CREATE\s+{OR_NOT}PIPE\s+{IF_NOT}{NAMED}\s+(?P<options>.*?)\bAS\s+"
            r"(?P<copy>COPY\s+INTO\s.*)": self._create_pipe,
            rf"ALTER\s+PIPE\s+{IF}{NAMED}\s+SET\s+PIPE_EXECUTION_PAUSED\s*=\s*"
            r"(?P<paused>TRUE|FALSE)": self._pause_pipe,
            rf"ALTER\s+PIPE\s+{IF}{NAMED}\s+REFRESH\s*{REST}": self._refresh_pipe,
            rf"DROP\s+PIPE\s+{IF}{NAMED}": self._drop_pipe,
            rf"DROP\s+(?:STORAGE\s+)?INTEGRATION\s+{IF}{NAMED}": self._drop_integration,
            r"SHOW\s+DYNAMIC\s+TABLES(?:\s+LIKE\s+'(?P<like>(?:[^']|'')*)')?"
            rf"(?:\s+IN\s+(?P<kind>SCHEMA|DATABASE|ACCOUNT)\s*(?P<name>{NAME})?)?": (
                self._show_dynamic_tables
            ),
            rf"ALTER\s+DYNAMIC\s+TABLE\s+{IF}{NAMED}\s+"
            r"(?P<act>SUSPEND|RESUME|REFRESH|SET\s+TARGET_LAG\s*=\s*(?P<lag>\S.*?))": (
                self._alter_dynamic_table
            ),
            r"SHOW\s+PIPES(?:\s+IN\s+(?P<kind>SCHEMA|DATABASE|ACCOUNT)"
            rf"\s*(?P<name>{NAME})?)?": self._show_pipes,
            rf"DESC(?:RIBE)?\s+PIPE\s+{NAMED}": self._describe_pipe,
            r"(?P<copy>COPY\s+INTO\s.*)": self._copy,
        }
        self._handlers = [
            (re.compile(rf"\s*{pattern}\s*;?\s*", re.IGNORECASE | re.DOTALL), handler)
            for pattern, handler in patterns.items()
        ]

    def answer(self, text: str, session: Session, now: datetime) -> Answer | None:
        """What the statement answers, or None: it is fakesnow's to run."""
        for pattern, handler in self._handlers:
            if match := pattern.fullmatch(text):
                return handler(match, session, now)
        return None

    def understands(self, text: str) -> bool:
        """Whether `answer` will have one."""
        return any(pattern.fullmatch(text) for pattern, _ in self._handlers)

    # integrations and stages ------------------------------------------------

    def _create_integration(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        self._access.demand(session, "CREATE STORAGE INTEGRATION", {})
        if name in self._account.integrations and not match["replace"]:
            if not match["lenient"]:
                raise exists_already(name)
            return done(f"{name} already exists, statement succeeded.")
        given = options(match["rest"])
        self._account.integrations[name] = StorageIntegration(
            name=name,
            role_arn=given["STORAGE_AWS_ROLE_ARN"],
            external_id=given.get("STORAGE_AWS_EXTERNAL_ID", f"EMBEDDED_{name}"),
            iam_user_arn=self._aws.user_arn,
            allowed_locations=texts(given["STORAGE_ALLOWED_LOCATIONS"]),
            enabled=given["ENABLED"].upper() == "TRUE",
        )
        self._access.owners[Thing("INTEGRATION", name)] = session.role
        if match["replace"]:
            self._stop_pipes(
                lambda stage: stage.integration == name, "STOPPED_STAGE_ALTERED"
            )
        return done(f"Integration {name} successfully created.")

    def _create_notification_integration(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        self._access.demand(session, "CREATE STORAGE INTEGRATION", {})
        self._account.notification_integrations.setdefault(name, options(match["rest"]))
        self._access.owners[Thing("INTEGRATION", name)] = session.role
        return done(f"Integration {name} successfully created.")

    def _alter_integration(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        before = self._account.integrations.get(name)
        if before is None:
            raise missing("Integration", name)
        self._access.demand(session, "ALTER STORAGE INTEGRATION", {"INTEGRATION": name})
        given = options(match["rest"])
        locations = given.get("STORAGE_ALLOWED_LOCATIONS")
        self._account.integrations[name] = StorageIntegration(
            name=name,
            role_arn=given.get("STORAGE_AWS_ROLE_ARN", before.role_arn),
            external_id=given.get("STORAGE_AWS_EXTERNAL_ID", before.external_id),
            iam_user_arn=before.iam_user_arn,
            allowed_locations=texts(locations)
            if locations
            else before.allowed_locations,
            enabled=given.get("ENABLED", str(before.enabled)).upper() == "TRUE",
        )
        return done()

    def _describe_integration(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        found = self._account.integrations.get(name)
        if found is None:
            raise missing("Integration", name)
        self._access.demand(session, "DESC INTEGRATION", {"INTEGRATION": name})
        rows = (
            ("ENABLED", "Boolean", str(found.enabled).lower(), "false"),
            ("STORAGE_PROVIDER", "String", "S3", ""),
            (
                "STORAGE_ALLOWED_LOCATIONS", "List",
                ",".join(found.allowed_locations), "[]",
            ),
            ("STORAGE_BLOCKED_LOCATIONS", "List", "", "[]"),
            ("STORAGE_AWS_IAM_USER_ARN", "String", found.iam_user_arn, ""),
            ("STORAGE_AWS_ROLE_ARN", "String", found.role_arn, ""),
            ("STORAGE_AWS_EXTERNAL_ID", "String", found.external_id, ""),
            ("COMMENT", "String", "", ""),
        )  # fmt: skip
        columns = ("property", "property_type", "property_value", "property_default")
        return Answer(columns=columns, rows=rows)

    def _create_stage(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], session.database, session.schema)
        given = options(match["rest"])
        integration = complete(given["STORAGE_INTEGRATION"], None, None)
        if name in self._account.stages and not match["replace"]:
            if not match["lenient"]:
                raise exists_already(name)
            return done(f"{name} already exists, statement succeeded.")
        if integration not in self._account.integrations:
            raise missing("Integration", integration)
        self._access.demand(
            session,
            "CREATE STAGE",
            {"SCHEMA": name.rpartition(".")[0], "INTEGRATION": integration},
        )
        allowed = self._account.integrations[integration].allowed_locations
        if not any(location in {"*", given["URL"]} or given["URL"].startswith(location)
                   for location in allowed):  # fmt: skip
            raise ProgrammingError(
                msg=f"Location '{given['URL']}' is not allowed by integration "
                f"{integration}: {', '.join(allowed)}",
                errno=3123,
                sqlstate="42601",
            )
        bucket, _, prefix = given["URL"].removeprefix("s3://").partition("/")
        self._account.stages[name] = Stage(
            name=name, bucket=bucket, prefix=prefix, integration=integration
        )
        self._access.owners[Thing("STAGE", name)] = session.role
        if match["replace"]:
            self._stop_pipes(lambda stage: stage.name == name, "STOPPED_STAGE_DROPPED")
        return done(f"Stage area {name} successfully created.")

    def _stop_pipes(self, which: Callable[[Stage], bool], state: str) -> None:
        for pipe in self._account.pipes.values():
            if which(self._account.stages[pipe.stage]):
                pipe.state = state

    # pipes ------------------------------------------------------------------

    def _create_pipe(
        self, match: re.Match[str], session: Session, now: datetime
    ) -> Answer:
        name = complete(match["name"], session.database, session.schema)
        if name in self._account.pipes and not match["replace"]:
            if not match["lenient"]:
                raise exists_already(name)
            return done(f"{name} already exists, statement succeeded.")
        copy = parse_copy(match["copy"])
        stage = complete(copy.stage, session.database, session.schema)
        if stage not in self._account.stages:
            raise missing("Stage", stage)
        table = complete(copy.table, session.database, session.schema)
        self._access.demand(
            session,
            "CREATE PIPE",
            {"SCHEMA": name.rpartition(".")[0], "STAGE": stage, "TABLE": table},
        )
        self._pipes.check(match["copy"])
        given = options(match["options"])
        topic = given.get("AWS_SNS_TOPIC")
        if topic is not None:
            self._aws.subscribe(topic)
        self._account.pipes[name] = Pipe(
            name=name,
            copy_text=match["copy"],
            table=table,
            stage=stage,
            path=copy.path,
            topic_arn=topic,
            owner=session.role,
            created_at=now,
            comment=given.get("COMMENT", ""),
        )
        self._access.owners[Thing("PIPE", name)] = session.role
        return done(f"Pipe {name} successfully created.")

    def _pipe(self, match: re.Match[str], session: Session, statement: str) -> Pipe:
        name = complete(match["name"], session.database, session.schema)
        return self._account.pipe(session, statement, name)

    def _pause_pipe(
        self, match: re.Match[str], session: Session, now: datetime
    ) -> Answer:
        pipe = self._pipe(match, session, "ALTER PIPE SET PIPE_EXECUTION_PAUSED")
        paused = match["paused"].upper() == "TRUE"
        self._pipes.pause(pipe, paused=paused, now=now, force=False)
        return done()

    def _refresh_pipe(
        self, match: re.Match[str], session: Session, now: datetime
    ) -> Answer:
        pipe = self._pipe(match, session, "ALTER PIPE REFRESH")
        given = options(match["rest"])
        after = given.get("MODIFIED_AFTER")
        try:
            taken = self._pipes.refresh(
                pipe,
                given.get("PREFIX", ""),
                now,
                modified_after=datetime.fromisoformat(after) if after else None,
            )
        except PermissionMissing as error:
            raise ProgrammingError(
                msg=f"Failure using stage area: {error}", errno=90073, sqlstate="42501"
            ) from error
        return Answer(columns=("File", "Status"), rows=[(key, "SENT") for key in taken])

    def _drop_pipe(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], session.database, session.schema)
        if name not in self._account.pipes and match["lenient"]:
            return done()
        self._pipe(match, session, "DROP PIPE")
        del self._account.pipes[name]
        self._access.forget(Thing("PIPE", name))
        return done(f"{name} successfully dropped.")

    def _drop_integration(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        thing = Thing("INTEGRATION", name)
        if thing not in self._access.owners:
            if match["lenient"]:
                return done()
            raise missing("Integration", name)
        self._access.demand(session, "DROP INTEGRATION", {"INTEGRATION": name})
        self._account.integrations.pop(name, None)
        self._account.notification_integrations.pop(name, None)
        self._access.forget(thing)
        self._stop_pipes(
            lambda stage: stage.integration == name, "STOPPED_STAGE_ALTERED"
        )
        return done(f"{name} successfully dropped.")

    def _show_pipes(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        within = complete(match["name"], None, None) + "." if match["name"] else ""
        return _pipe_rows(
            pipe
            for name, pipe in sorted(self._account.pipes.items())
            if name.startswith(within) and self._sees(pipe, session)
        )

    def _describe_pipe(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        return _pipe_rows([self._pipe(match, session, "DESC PIPE")])

    def _sees(self, pipe: Pipe, session: Session) -> bool:
        try:
            self._account.pipe(session, "SHOW PIPES", pipe.name)
        except ProgrammingError:
            return False
        return True

    def _alter_dynamic_table(
        self, match: re.Match[str], session: Session, now: datetime
    ) -> Answer:
        name = complete(match["name"], session.database, session.schema)
        table = self._account.dynamic_tables.get(name)
        if table is None:
            if match["lenient"]:
                return done()
            raise missing("Dynamic table", name)
        # OPERATE would do as well; nobody is granted that here
        self._access.demand(session, "DROP TABLE", {"TABLE": name})
        match match["act"].split()[0].upper():
            case "SUSPEND":
                self._dynamic.suspend(name, now, reason="USER_SUSPENDED")
            case "RESUME":
                self._dynamic.resume(name, now)
            case "REFRESH":
                self._access.demand_warehouse(session)
                action = self._dynamic.refresh(name, now).action
                return Answer(columns=("statistics",), rows=((action,),))
            case _:
                lag = options(f"TARGET_LAG = {match['lag']}")["TARGET_LAG"]
                changed = replace(table, target_lag=lag)
                self._account.dynamic_tables[name] = changed
        return done()

    def _show_dynamic_tables(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        within = complete(match["name"], None, None) + "." if match["name"] else ""
        like = re.compile(
            re.escape(match["like"] or "%").replace("%", ".*").replace("_", "."),
            re.IGNORECASE,
        )
        role, any_of = session.role, Need("TABLE")
        (monitors,) = RULES["SHOW DYNAMIC TABLES"].needs
        return _dynamic_table_rows(
            one
            if self._access.has(role, monitors, Thing("TABLE", one.name))
            else replace(one, text="", warehouse="", suspended_at=None, data_at=None)
            for one in self._account.dynamic_tables.values()
            if one.name.startswith(within)
            and like.fullmatch(one.name.split(".", 2)[2])
            and self._access.has(role, any_of, Thing("TABLE", one.name))
        )

    def _copy(self, match: re.Match[str], session: Session, now: datetime) -> Answer:
        copy = parse_copy(match["copy"])
        table = complete(copy.table, session.database, session.schema)
        stage = complete(copy.stage, session.database, session.schema)
        self._access.demand(session, "COPY INTO", {"TABLE": table, "STAGE": stage})
        loads = self._pipes.copy_stage(match["copy"], now)
        columns = (
            "file", "status", "rows_parsed", "rows_loaded", "errors_seen",
            "first_error", "first_error_line",
        )  # fmt: skip
        rows = [
            (
                name, load.status.upper().replace(" ", "_"), load.parsed, load.loaded,
                load.errors, load.first_error, load.first_error_line,
            )
            for name, load in loads
        ]  # fmt: skip
        return Answer(columns=columns, rows=rows)


def _dynamic_table_rows(tables: Iterable[DynamicTable]) -> Answer:
    columns = (
        "created_on", "name", "reserved", "database_name", "schema_name", "cluster_by",
        "rows", "bytes", "owner", "target_lag", "refresh_mode", "refresh_mode_reason",
        "warehouse", "comment", "text", "automatic_clustering", "scheduling_state",
        "last_suspended_on", "is_clone", "is_replica", "is_iceberg", "data_timestamp",
        "owner_role_type",
    )  # fmt: skip
    rows = []
    for one in islice(tables, MOST_SHOWN):
        database, schema, name = one.name.split(".", 2)
        rows.append(
            (
                one.created_at.isoformat(), name, "", database, schema, "", None, None,
                one.owner, one.target_lag, one.refresh_mode, None, one.warehouse,
                one.comment, one.text, "OFF",
                "ACTIVE" if one.suspended_at is None else "SUSPENDED",
                one.suspended_at and one.suspended_at.isoformat(),
                "false", "false", "false",
                one.data_at and one.data_at.isoformat(), "ROLE",
            )
        )  # fmt: skip
    return Answer(columns=columns, rows=rows)


def _pipe_rows(pipes: Iterable[Pipe]) -> Answer:
    columns = (
        "created_on", "name", "database_name", "schema_name", "definition", "owner",
        "notification_channel", "comment", "integration", "pattern",
        "error_integration", "owner_role_type", "invalid_reason", "kind",
    )  # fmt: skip
    rows = []
    for pipe in islice(pipes, MOST_SHOWN):
        database, schema, name = pipe.name.split(".")
        rows.append(
            (
                pipe.created_at.isoformat(), name, database, schema, pipe.copy_text,
                pipe.owner, pipe.topic_arn, pipe.comment, None, None, None, "ROLE",
                None, "STAGE",
            )
        )  # fmt: skip
    return Answer(columns=columns, rows=rows)
