"""What loads: integration, stage, tables and pipes. All of it may be run again.

Nothing here replaces a stage, an integration or a pipe in place: that stops the pipe
or makes it forget what it loaded, and the next REFRESH loads it twice
(https://docs.snowflake.com/en/user-guide/data-load-snowpipe-manage). A COPY that has
to change gets a new generation: a new prefix and a new pipe beside the old one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

from lambdas.core.dataset import Dataset, zone_of
from lambdas.core.landing.names import RUNS, raw_prefix
from lambdas.core.records.json_path import steps
from lambdas.core.sql import names
from lambdas.core.sql.casts import try_instant

COPY_VERSION = 1
"""Raised by hand when the text of every COPY has to change: every dataset then lands
under a new generation."""

_GENERATIONS = 999_983  # a prime: six digits spread evenly
_RUN_ID_LENGTH = 33  # `20130101T050000.000Z-0123456789ab`

_METADATA_COLUMNS = (
    "_FILE VARCHAR, _ROW NUMBER(38, 0), _RUN_ID VARCHAR, "
    "_EXTRACTED_AT TIMESTAMP_TZ, _LOADED_AT TIMESTAMP_TZ"
)
# The run id is the beginning of the file's own name, and begins with the run's start.
_NAME = "SPLIT_PART(METADATA$FILENAME, '/', -1)"
_RUN_START = "^([0-9]{4})([0-9]{2})([0-9]{2}T[0-9]{2})([0-9]{2})([0-9.]{6}Z)-.*$"
_EXTRACTED_AT = (
    f"TRY_CAST(REGEXP_REPLACE({_NAME}, {names.literal(_RUN_START)}, "
    + names.literal(r"\1-\2-\3:\4:\5")
    + ") AS TIMESTAMP_TZ)"
)
# START_SCAN_TIME, not CURRENT_TIMESTAMP, which in a pipe can be hours early
# (https://docs.snowflake.com/en/user-guide/querying-metadata)
_METADATA_VALUES = (
    "METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, "
    f"SUBSTR({_NAME}, 1, {_RUN_ID_LENGTH}), {_EXTRACTED_AT}, "
    "METADATA$START_SCAN_TIME::TIMESTAMP_TZ"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingLocation:
    """Where the objects are, and who tells of them. `integration` is an account-wide
    name, so that it holds the database's.
    """

    database: str
    bucket: str
    integration: str
    topic_arn: str


def event_path(dataset: Dataset) -> str | None:
    """The path of the event time inside a record, or None: the load time counts."""
    return dataset.freshness.loaded_at_field


def generation(dataset: Dataset) -> int:
    """A decimal hash, 1 to 999,983, of all that shapes this dataset's COPY.

    Stable across versions of everything but the COPY itself, so that a change of, say,
    the schedule makes no new prefix and no new pipe.
    """
    path = event_path(dataset)
    shape = [
        COPY_VERSION,
        list(steps(path)) if path is not None else None,
        zone_of(dataset, path) if path is not None else None,
    ]
    return 1 + crc32(json.dumps(shape, ensure_ascii=True).encode()) % _GENERATIONS


def create_database(database: str) -> str:
    """The database; it stays when the stack goes."""
    return f"CREATE DATABASE IF NOT EXISTS {names.identifier(database)}"


def create_schemas(database: str) -> tuple[str, ...]:
    """RAW, ANALYTICS and CATFLAP; only their owner grants what is in them."""
    return tuple(
        f"CREATE SCHEMA IF NOT EXISTS {names.identifier(database)}.{schema} "
        "WITH MANAGED ACCESS"
        for schema in (
            names.RAW_SCHEMA,
            names.ANALYTICS_SCHEMA,
            names.CATFLAP_SCHEMA,
        )
    )


def integration_name(database: str) -> str:
    """The storage integration of a database's landing zone."""
    return f"{database}_LANDING".upper()


def external_id(database: str) -> str:
    """Chosen by us and no secret: it keeps another customer of Snowflake from naming
    our role (AWS: "The confused deputy problem").
    """
    return f"catflap_{database}_landing".lower()


def create_integration(
    landing: LandingLocation, *, access_role_arn: str, external_id: str
) -> str:
    """The storage integration: it will assume the role at `access_role_arn`."""
    return (
        "CREATE STORAGE INTEGRATION IF NOT EXISTS "
        f"{names.identifier(landing.integration)} TYPE = EXTERNAL_STAGE "
        "STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        f"STORAGE_AWS_ROLE_ARN = {names.literal(access_role_arn)} "
        f"STORAGE_AWS_EXTERNAL_ID = {names.literal(external_id)} "
        f"STORAGE_ALLOWED_LOCATIONS = ({names.literal(f's3://{landing.bucket}/')})"
    )


def integration_fits(
    landing: LandingLocation, access_role_arn: str, described: Mapping[str, str]
) -> bool:
    """Whether what DESC answers (property to value) is what is wanted."""
    return (
        described["STORAGE_AWS_ROLE_ARN"] == access_role_arn
        and described["STORAGE_ALLOWED_LOCATIONS"] == f"s3://{landing.bucket}/"
    )


def alter_integration(landing: LandingLocation, access_role_arn: str) -> str:
    """Another role or bucket for the integration that stands, in place: its user and
    its external id stay, and with them the role's trust.
    """
    return (
        f"ALTER STORAGE INTEGRATION {names.identifier(landing.integration)} SET "
        f"STORAGE_AWS_ROLE_ARN = {names.literal(access_role_arn)} "
        f"STORAGE_ALLOWED_LOCATIONS = ({names.literal(f's3://{landing.bucket}/')})"
    )


def describe_integration(landing: LandingLocation) -> str:
    """Rows of (property, type, value, default): who will assume the role."""
    return f"DESC INTEGRATION {names.identifier(landing.integration)}"


def sns_policy(topic_arn: str) -> str:
    """The policy statement that lets Snowflake subscribe to the topic, as JSON."""
    return f"SELECT SYSTEM$GET_AWS_SNS_IAM_POLICY({names.literal(topic_arn)})"


def validate_integration(landing: LandingLocation) -> str:
    """JSON whose `status` is `success` once the role lets Snowflake read and list.

    It looks at objects under `runs/`: readable, and never written by Snowflake.
    """
    return (
        "SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION("
        f"{names.literal(names.identifier(landing.integration))}, "
        f"{names.literal(f's3://{landing.bucket}/{RUNS}')}, "
        "'validate_all', 'list')"
    )


def create_stage(landing: LandingLocation) -> str:
    """The stage; its URL ends with `/`, or the path would match siblings too."""
    return (
        f"CREATE STAGE IF NOT EXISTS {names.stage(landing.database)} "
        f"URL = {names.literal(f's3://{landing.bucket}/')} "
        f"STORAGE_INTEGRATION = {names.identifier(landing.integration)}"
    )


def create_table(database: str, dataset: Dataset) -> str:
    """`RAW.<DATASET>`: the record as it came, and where it came from."""
    return (
        f"CREATE TABLE IF NOT EXISTS {names.raw_table(database, dataset.name)} "
        f"(PAYLOAD VARIANT, _EVENT_AT TIMESTAMP_TZ, {_METADATA_COLUMNS})"
    )


def create_runs_table(database: str) -> str:
    """`RAW._RUNS`: one row for each run that landed whole."""
    return (
        f"CREATE TABLE IF NOT EXISTS {names.runs_table(database)} "
        f"(PAYLOAD VARIANT, DATASET VARCHAR, {_METADATA_COLUMNS})"
    )


def copy_statement(database: str, dataset: Dataset) -> str:
    """The COPY of a dataset's pipe, usable by hand as well."""
    path = event_path(dataset)
    event_at = (
        "NULL::TIMESTAMP_TZ"
        if path is None
        else try_instant(names.text_at("$1", path), zone_of(dataset, path))
    )
    prefix = raw_prefix(dataset.name, generation(dataset))
    return (
        f"COPY INTO {names.raw_table(database, dataset.name)} "
        "(PAYLOAD, _EVENT_AT, _FILE, _ROW, _RUN_ID, _EXTRACTED_AT, _LOADED_AT) "
        f"FROM (SELECT $1, {event_at}, {_METADATA_VALUES} "
        f"FROM @{names.stage(database)}/{prefix}) "
        "FILE_FORMAT = (TYPE = JSON COMPRESSION = GZIP) ON_ERROR = SKIP_FILE"
    )


def copy_runs_statement(database: str) -> str:
    """The COPY of run files: one JSON document on one line, `runs/<dataset>/…`."""
    return (
        f"COPY INTO {names.runs_table(database)} "
        "(PAYLOAD, DATASET, _FILE, _ROW, _RUN_ID, _EXTRACTED_AT, _LOADED_AT) "
        "FROM (SELECT $1, SPLIT_PART(METADATA$FILENAME, '/', -2), "
        f"{_METADATA_VALUES} FROM @{names.stage(database)}/{RUNS}) "
        "FILE_FORMAT = (TYPE = JSON COMPRESSION = NONE) ON_ERROR = SKIP_FILE"
    )


def create_pipe(landing: LandingLocation, dataset: Dataset) -> str:
    """`RAW.<DATASET>_G<n>`, woken by the topic."""
    name = names.pipe(landing.database, dataset.name, generation(dataset))
    return _pipe(name, landing, copy_statement(landing.database, dataset))


def create_runs_pipe(landing: LandingLocation) -> str:
    """The pipe `RAW._RUNS`."""
    name = names.runs_pipe(landing.database)
    return _pipe(name, landing, copy_runs_statement(landing.database))


def _pipe(name: str, landing: LandingLocation, copy: str) -> str:
    """No statement shows or changes the topic of a pipe that stands, so that a comment
    says which it was made with.
    """
    topic = names.literal(landing.topic_arn)
    return (
        f"CREATE PIPE IF NOT EXISTS {name} AUTO_INGEST = TRUE "
        f"AWS_SNS_TOPIC = {topic} COMMENT = {topic} AS {copy}"
    )


def drop_pipe(pipe: str) -> str:
    """End a pipe, and with it what it remembers of the files it loaded."""
    return f"DROP PIPE IF EXISTS {pipe}"


def show_pipes(database: str) -> str:
    """The pipes there are; `name` is the second column, `comment` the eighth. Needs no
    warehouse.
    """
    return f"SHOW PIPES IN SCHEMA {names.identifier(database)}.{names.RAW_SCHEMA}"


def any_row(table: str, *, below: int | str | None = None) -> str:
    """One row if the table has any, or any of files below this generation's folder."""
    only = "" if below is None else f" WHERE CONTAINS(_FILE, '/g{below}/')"
    return f"SELECT 1 FROM {table}{only} LIMIT 1"


def refresh_pipe(pipe: str) -> str:
    """Load what landed in the last 7 days and was never loaded by this pipe.

    A file that failed is remembered and not tried again.
    """
    return f"ALTER PIPE {pipe} REFRESH"
