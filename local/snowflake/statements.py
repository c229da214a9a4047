"""The statements fakesnow has no words for, and what each answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from snowflake.connector.errors import ProgrammingError

from local.snowflake.account import (
    ADMINISTRATOR,
    Account,
    DynamicTable,
    Pipe,
    Session,
    Stage,
    StorageIntegration,
    User,
    exists_already,
    missing,
)
from local.snowflake.aws_side import PermissionMissing, SnowflakeAws
from local.snowflake.snowpipe import Snowpipe
from local.snowflake.text import NAME, complete, options, parse_copy, texts

SUCCESS = "Statement executed successfully."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A result: column names, and rows of texts, numbers, times or None."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


Handler: TypeAlias = Callable[[re.Match[str], Session, datetime], Answer]
_OR_NOT = r"(?P<replace>OR\s+REPLACE\s+)?"
_IF_NOT = r"(?P<lenient>IF\s+NOT\s+EXISTS\s+)?"
_IF = r"(?P<lenient>IF\s+EXISTS\s+)?"
_N = rf"(?P<name>{NAME})"
_REST = r"(?P<rest>.*)"


def _done(text: str = SUCCESS) -> Answer:
    return Answer(columns=("status",), rows=((text,),))


class Statements:
    """Understands a statement, or leaves it to fakesnow."""

    def __init__(
        self, *, account: Account, aws: SnowflakeAws, snowpipe: Snowpipe
    ) -> None:
        self._account = account
        self._aws = aws
        self._pipes = snowpipe
        patterns: dict[str, Handler] = {
            rf"CREATE\s+{_OR_NOT}ROLE\s+{_IF_NOT}{_N}\s*{_REST}": self._create_role,
            rf"CREATE\s+{_OR_NOT}USER\s+{_IF_NOT}{_N}\s*{_REST}": self._create_user,
            rf"USE\s+ROLE\s+{_N}": self._use_role,
            r"USE\s+(?:WAREHOUSE|SECONDARY\s+ROLES)\s+\S+": self._nothing_to_do,
            r"(?P<verb>GRANT|REVOKE)\s+ROLE\s+(?P<role>\S+)\s+(?:TO|FROM)\s+"
            r"(?P<kind>USER|ROLE)\s+(?P<to>\S+)": self._grant_role,
            r"(?P<verb>GRANT|REVOKE)\s+(?P<privileges>[\w\s,]+?)\s+ON\s+"
            r"(?P<kind>DYNAMIC\s+TABLE|\w+)"
            rf"\s+{_N}\s+(?:TO|FROM)\s+(?:ROLE\s+)?(?P<role>[\w\"]+)": self._grant,
            rf"CREATE\s+{_OR_NOT}STORAGE\s+INTEGRATION\s+{_IF_NOT}{_N}\s+{_REST}": (
                self._create_integration
            ),
            rf"CREATE\s+{_OR_NOT}NOTIFICATION\s+INTEGRATION\s+{_IF_NOT}{_N}"
            rf"\s+{_REST}": self._create_notification_integration,
            rf"ALTER\s+(?:STORAGE\s+)?INTEGRATION\s+{_IF}{_N}\s+SET\s+{_REST}": (
                self._alter_integration
            ),
            rf"DESC(?:RIBE)?\s+(?:STORAGE\s+|NOTIFICATION\s+)?INTEGRATION\s+{_N}": (
                self._describe_integration
            ),
            rf"CREATE\s+{_OR_NOT}STAGE\s+{_IF_NOT}{_N}\s+{_REST}": self._create_stage,
            rf"CREATE\s+{_OR_NOT}PIPE\s+{_IF_NOT}{_N}\s+(?P<options>.*?)\bAS\s+"
            r"(?P<copy>COPY\s+INTO\s.*)": self._create_pipe,
            rf"ALTER\s+PIPE\s+{_IF}{_N}\s+SET\s+PIPE_EXECUTION_PAUSED\s*=\s*"
            r"(?P<paused>TRUE|FALSE)": self._pause_pipe,
            rf"ALTER\s+PIPE\s+{_IF}{_N}\s+REFRESH\s*{_REST}": self._refresh_pipe,
            rf"DROP\s+PIPE\s+{_IF}{_N}": self._drop_pipe,
            r"SHOW\s+DYNAMIC\s+TABLES\s+IN\s+SCHEMA\s+"
            rf"(?P<name>{NAME})": self._show_dynamic_tables,
            r"SHOW\s+PIPES(?:\s+IN\s+(?P<kind>SCHEMA|DATABASE|ACCOUNT)"
            rf"\s*(?P<name>{NAME})?)?": self._show_pipes,
            rf"DESC(?:RIBE)?\s+PIPE\s+{_N}": self._describe_pipe,
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

    # roles ------------------------------------------------------------------

    def _create_role(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        if name in self._account.roles and not match["lenient"]:
            raise exists_already(name)
        self._account.roles.add(name)
        self._account.owners.setdefault(name, session.role)
        return _done(f"Role {name} successfully created.")

    def _create_user(self, match: re.Match[str], _: Session, __: datetime) -> Answer:
        name = complete(match["name"], None, None)
        if name in self._account.users:
            if not match["lenient"]:
                raise exists_already(name)
            return _done(f"{name} already exists, statement succeeded.")
        arn = re.search(r"\bARN\s*=\s*'([^']*)'", match["rest"], re.IGNORECASE)
        self._account.users[name] = User(name=name, aws_role=arn[1] if arn else None)
        return _done(f"User {name} successfully created.")

    def _use_role(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        user = self._account.users.get(session.user)
        if name not in self._account.roles or (
            user is not None
            and session.role != ADMINISTRATOR
            and name not in user.roles
        ):
            raise missing("Role", name)
        session.role = name
        return _done()

    def _nothing_to_do(self, _: re.Match[str], __: Session, ___: datetime) -> Answer:
        return _done()

    def _grant_role(self, match: re.Match[str], _: Session, __: datetime) -> Answer:
        role, to = (complete(match[part], None, None) for part in ("role", "to"))
        if role not in self._account.roles:
            raise missing("Role", role)
        if match["kind"].upper() == "USER":
            if to not in self._account.users:
                raise missing("User", to)
            held = self._account.users[to].roles
            (held.add if match["verb"].upper() == "GRANT" else held.discard)(role)
        return _done()

    def _grant(self, match: re.Match[str], session: Session, _now: datetime) -> Answer:
        kind = " ".join(match["kind"].upper().split())
        name = (
            complete(match["name"], session.database, session.schema)
            if kind in {"TABLE", "VIEW", "DYNAMIC TABLE", "PIPE", "STAGE"}
            else complete(match["name"], None, None)
        )
        role = complete(match["role"], None, None)
        if role not in self._account.roles:
            raise missing("Role", role)
        if kind == "PIPE" and name not in self._account.pipes:
            raise missing("Pipe", name)
        if kind in {"TABLE", "VIEW"} and name not in self._account.owners:
            raise missing(kind.capitalize(), name)
        if kind == "DYNAMIC TABLE" and name not in self._account.dynamic_tables:
            raise missing("Dynamic table", name)
        for privilege in match["privileges"].upper().split(","):
            entry = (privilege.strip(), name, role)
            if match["verb"].upper() == "GRANT":
                self._account.grants.add(entry)
            else:
                self._account.grants.discard(entry)
        return _done()

    # integrations and stages ------------------------------------------------

    def _create_integration(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        if name in self._account.integrations and not match["replace"]:
            if not match["lenient"]:
                raise exists_already(name)
            return _done(f"{name} already exists, statement succeeded.")
        given = options(match["rest"])
        self._account.integrations[name] = StorageIntegration(
            name=name,
            role_arn=given["STORAGE_AWS_ROLE_ARN"],
            external_id=given.get("STORAGE_AWS_EXTERNAL_ID", f"EMBEDDED_{name}"),
            iam_user_arn=self._aws.user_arn,
            allowed_locations=texts(given["STORAGE_ALLOWED_LOCATIONS"]),
            enabled=given["ENABLED"].upper() == "TRUE",
        )
        self._account.owners[name] = session.role
        if match["replace"]:
            self._stop_pipes(
                lambda stage: stage.integration == name, "STOPPED_STAGE_ALTERED"
            )
        return _done(f"Integration {name} successfully created.")

    def _create_notification_integration(
        self, match: re.Match[str], _: Session, __: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        self._account.notification_integrations.setdefault(name, options(match["rest"]))
        return _done(f"Integration {name} successfully created.")

    def _alter_integration(
        self, match: re.Match[str], _: Session, __: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        before = self._account.integrations.get(name)
        if before is None:
            raise missing("Integration", name)
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
        return _done()

    def _describe_integration(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        name = complete(match["name"], None, None)
        found = self._account.integrations.get(name)
        if found is None or not self._account.allows(session.role, "USAGE", name):
            raise missing("Integration", name)
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
        if name in self._account.stages and not match["replace"]:
            if not match["lenient"]:
                raise exists_already(name)
            return _done(f"{name} already exists, statement succeeded.")
        given = options(match["rest"])
        integration = complete(given["STORAGE_INTEGRATION"], None, None)
        if integration not in self._account.integrations:
            raise missing("Integration", integration)
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
        self._account.owners[name] = session.role
        if match["replace"]:
            self._stop_pipes(lambda stage: stage.name == name, "STOPPED_STAGE_DROPPED")
        return _done(f"Stage area {name} successfully created.")

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
            return _done(f"{name} already exists, statement succeeded.")
        copy = parse_copy(match["copy"])
        stage = complete(copy.stage, session.database, session.schema)
        if stage not in self._account.stages:
            raise missing("Stage", stage)
        self._pipes.check(match["copy"])
        topic = options(match["options"]).get("AWS_SNS_TOPIC")
        if topic is not None:
            self._aws.subscribe(topic)
        self._account.pipes[name] = Pipe(
            name=name,
            copy_text=match["copy"],
            table=complete(copy.table, session.database, session.schema),
            stage=stage,
            path=copy.path,
            topic_arn=topic,
            owner=session.role,
            created_at=now,
        )
        self._account.owners[f"PIPE {name}"] = session.role
        return _done(f"Pipe {name} successfully created.")

    def _pipe(self, match: re.Match[str], session: Session, privilege: str) -> Pipe:
        name = complete(match["name"], session.database, session.schema)
        return self._account.pipe(session.role, privilege, name)

    def _pause_pipe(
        self, match: re.Match[str], session: Session, now: datetime
    ) -> Answer:
        pipe = self._pipe(match, session, "OPERATE")
        paused = match["paused"].upper() == "TRUE"
        self._pipes.pause(pipe, paused=paused, now=now, force=False)
        return _done()

    def _refresh_pipe(
        self, match: re.Match[str], session: Session, now: datetime
    ) -> Answer:
        pipe = self._pipe(match, session, "OPERATE")
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
            return _done()
        self._pipe(match, session, "OWNERSHIP")
        del self._account.pipes[name]
        return _done(f"{name} successfully dropped.")

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
        return _pipe_rows([self._pipe(match, session, "MONITOR")])

    def _sees(self, pipe: Pipe, session: Session) -> bool:
        try:
            self._account.pipe(session.role, "MONITOR", pipe.name)
        except ProgrammingError:
            return False
        return True

    def _show_dynamic_tables(
        self, match: re.Match[str], session: Session, _now: datetime
    ) -> Answer:
        schema = complete(match["name"], None, None)
        return _dynamic_table_rows(
            one
            for one in self._account.dynamic_tables.values()
            if one.name.startswith(f"{schema}.")
            and self._account.allows(session.role, "SELECT", one.name)
        )

    def _copy(self, match: re.Match[str], session: Session, now: datetime) -> Answer:
        copy = parse_copy(match["copy"])
        table = complete(copy.table, session.database, session.schema)
        self._account.require(session.role, "INSERT", table)
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
    for one in tables:
        database, schema, name = one.name.split(".", 2)
        rows.append(
            (
                one.created_at.isoformat(), name, "", database, schema, "", None, None,
                one.owner, one.target_lag, "INCREMENTAL", None, one.warehouse,
                one.comment, one.text, "OFF", "ACTIVE", None, "false", "false", "false",
                None, "ROLE",
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
    for pipe in pipes:
        database, schema, name = pipe.name.split(".")
        rows.append(
            (
                pipe.created_at.isoformat(), name, database, schema, pipe.copy_text,
                pipe.owner, pipe.topic_arn, "", None, None, None, "ROLE", None, "STAGE",
            )
        )  # fmt: skip
    return Answer(columns=columns, rows=rows)
