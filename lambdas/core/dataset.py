"""The dataset model: what an engineer writes in `datasets/` and `apis/`.

The words are the field's own: dlt's `rest_api` for sources, dbt's for freshness,
ODCS for quality. Every model is frozen and refuses unknown keys. Values are validated
strictly, as from JSON: "3" is not 3.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from functools import cache
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from lambdas.core.http.auth_registry import Auth
from lambdas.core.landing.names import CATALOGUE
from lambdas.core.paging.auto import AutoPaginator, Paginator
from lambdas.core.records.json_path import JsonPath, steps
from lambdas.core.records.streams import CsvFormat

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,47}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Model(BaseModel):
    """Frozen, strict, and without room for keys nobody knows."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )


_MENTION = r"(@[a-z0-9][a-z0-9._-]{0,79}|[SUW][A-Z0-9]{5,20})"


class Owner(Model):
    """Who answers for the dataset, and where its people are told."""

    team: str = Field(description="who answers for it")
    slack: str | None = Field(
        default=None, description="channel of the engineers, such as #data-eng"
    )
    stakeholders: str | None = Field(
        default=None, description="channel of the people who use the data"
    )
    mention: str | None = Field(
        default=None,
        pattern=rf"^{_MENTION}([ ,]+{_MENTION})*$",
        description="who is mentioned on a page: a user group's @handle, or ids of "
        "Slack's (S… or U…)",
    )


class RateLimit(Model):
    """Our own limit: this many requests a period, for all datasets of the API."""

    requests: int = Field(gt=0, description="requests a period")
    period: Literal["second", "minute", "hour"] = Field(
        default="second", description="what the requests are counted over"
    )


class Retry(Model):
    """How often a request is tried: 429, 5xx, connection resets and timeouts."""

    max_attempts: int = Field(
        default=5, ge=1, le=20, description="tries of one request, the first included"
    )
    backoff_factor: float = Field(
        default=1,
        ge=0,
        description="seconds before the second try; they double each time",
    )
    max_delay: float = Field(
        default=300,
        ge=0,
        description="seconds waited at most; Retry-After is honoured up to here",
    )


class Api(Model):
    """How to talk to one upstream: `apis/<api>.yaml`."""

    base_url: str = Field(
        description="where the paths begin: https, or http on loopback only"
    )
    headers: dict[str, str] = Field(default={}, description="sent with every request")
    auth: Auth | None = Field(default=None, description="how requests authenticate")
    paginator: Paginator = Field(
        default=AutoPaginator(),
        description="how pages are found, for datasets that do not say it themselves",
    )
    rate_limit: RateLimit | None = Field(
        default=None, description="a budget on our side"
    )
    max_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=1_000,
        description="pulls of this API at once, over all functions; others wait",
    )
    retry: Retry = Field(
        default=Retry(),
        description="how often 429, 5xx, connection resets and timeouts are retried",
    )
    timeout: float = Field(default=60, gt=0, description="seconds, a request")
    ca: str | None = Field(
        default=None,
        description="`secret:NAME#KEY`: the certificates (PEM) of a private CA, which "
        "alone is trusted then",
    )


class ResponseAction(Model):
    """What to do with an unusual answer, by status, by content, or by both."""

    status_code: int | None = Field(
        default=None, ge=100, le=599, description="the answer's status"
    )
    content: str | None = Field(
        default=None, description="a text that the answer holds"
    )
    action: Literal["ignore", "retry", "fail", "renew"] = Field(
        description="what to do; an ignored answer has no rows, `renew` fetches a new "
        "token and retries once"
    )


class Incremental(Model):
    """The cursor: which rows are new."""

    cursor_path: JsonPath = Field(description="where in a record the cursor is")
    initial_value: str | int | float | None = Field(
        default=None, description="where the first pull begins"
    )
    end_value: str | int | float | None = Field(
        default=None, description="where every pull ends"
    )
    lag: float = Field(
        default=0,
        ge=0,
        description="how far a pull goes back behind the cursor: seconds, or its units",
    )
    row_order: Literal["asc", "desc"] | None = Field(
        default=None, description="how the API sorts: lets a pull stop early"
    )
    on_cursor_value_missing: Literal["raise", "include", "exclude"] = Field(
        default="raise", description="what happens to a record without a cursor value"
    )
    range_start: Literal["open", "closed"] = Field(
        default="closed",
        description="whether rows exactly at the start belong to a pull",
    )
    range_end: Literal["open", "closed"] = Field(
        default="open", description="whether rows exactly at the end belong to a pull"
    )
    format: str | None = Field(
        default=None,
        description="how the API wants the value: a strftime pattern, "
        "`epoch` or `epoch_ms`",
    )
    timezone: str | None = Field(
        default=None, description="IANA zone of cursor values that carry no offset"
    )
    cursor_type: Literal["time", "number", "text"] | None = Field(
        default=None,
        description="how values are compared; absent = found from the values, and "
        "values without a known order are an error",
    )
    cursor_format: str | tuple[str, ...] | None = Field(
        default=None,
        description="the format of times in rows, if not ISO 8601: a strptime "
        "pattern or a list of them, `epoch` or `epoch_ms`; %s and %Q are counts of "
        "seconds and milliseconds",
    )


class Endpoint(Model):
    """One resource of an API, and how its pages are read."""

    path: str = Field(description="below base_url")
    method: Literal["GET", "POST"] = Field(
        default="GET", description="POST sends the JSON body"
    )
    params: dict[str, str | int | float | bool] = Field(
        default={},
        description="the query; {incremental.start_value} and its like are filled in",
    )
    json_body: dict[str, JsonValue] | None = Field(
        default=None, alias="json", description="the body of a POST"
    )
    headers: dict[str, str] = Field(
        default={}, description="sent with the API's own headers"
    )
    data_selector: JsonPath | None = Field(
        default=None,
        description="where an answer holds the records; absent = found automatically",
    )
    paginator: Paginator | None = Field(
        default=None, description="how pages are found; absent = the API's"
    )
    response_actions: tuple[ResponseAction, ...] = Field(
        default=(),
        description="what to do with unusual answers; the first match counts",
    )
    incremental: Incremental | None = Field(
        default=None, description="the cursor; absent = every pull is whole"
    )
    format: Literal["json", "jsonl", "csv"] | CsvFormat = Field(
        default="json",
        description="the format of answers, gzipped or not; or the dialect of a CSV",
    )
    max_pages: int | None = Field(
        default=None,
        gt=0,
        description="most pages of one pull, or for one row of its parent; more is an "
        "error",
    )

    @property
    def body_format(self) -> Literal["json", "jsonl", "csv"]:
        """What an answer is."""
        return "csv" if isinstance(self.format, CsvFormat) else self.format

    @property
    def csv(self) -> CsvFormat:
        """How a CSV is written, where an answer is one."""
        form = self.format
        return form if isinstance(form, CsvFormat) else CsvFormat(type="csv")


class Parent(Model):
    """Fan-out: one request for each distinct row of another dataset that landed since.

    `docs/fan-out.md` says how.
    """

    dataset: Name = Field(description="the dataset whose rows are requested one by one")
    fields: dict[str, JsonPath] = Field(
        min_length=1, description="name in {parent.name}: path in the parent's rows"
    )


class Source(Model):
    """Where the rows come from: an endpoint of an API, or a Python generator."""

    client: Name | Api | None = Field(
        default=None,
        description="the name of a file in apis/, or the same mapping in place",
    )
    endpoint: Endpoint | None = Field(default=None, description="what to ask for")
    parent: Parent | None = Field(
        default=None, description="one request for each row of another dataset"
    )
    python: str | None = Field(
        default=None, description="a generator of pages, such as sources/foo.py:pages"
    )
    options: dict[str, JsonValue] = Field(
        default={},
        description="what the generator is given; `secret:` references are resolved",
    )
    incremental: Incremental | None = Field(
        default=None, description="the generator's cursor; an endpoint has its own"
    )

    @property
    def cursor(self) -> Incremental | None:
        """Which rows are new, wherever it was declared; None: every pull is whole."""
        return self.endpoint.incremental if self.endpoint else self.incremental


_DAYS = re.compile(r"([1-9][0-9]{0,4}) days?")


def _is_days(text: str) -> str:
    if _DAYS.fullmatch(text) is None:
        message = "must be a number of days, such as `90 days`"
        raise ValueError(message)
    return text


Days = Annotated[str, AfterValidator(_is_days)]


class Retention(Model):
    """How long what landed is kept."""

    raw: Days = Field(
        default="400 days", description="how long landed objects are kept"
    )
    quarantine: Days = Field(
        default="90 days", description="how long refused records are kept"
    )
    runs: int = Field(default=10, ge=1, description="complete runs kept, for `replace`")


Materialized = Literal["view", "dynamic_table"]
RefreshMode = Literal["incremental", "adaptive", "full"]


class RelationOptions(Model):
    """How the typed relation in ANALYTICS is made."""

    materialized: Materialized = Field(
        default="view", description="what it is in Snowflake"
    )
    target_lag: str | None = Field(
        default=None,
        description="how old a dynamic table may be: `1 hour`, or `downstream`",
    )
    refresh_mode: RefreshMode | None = Field(
        default=None,
        description="how a dynamic table is refreshed; absent = incremental",
    )


class Schedule(Model):
    """When the dataset is pulled: EventBridge's six-field cron, or a rate."""

    cron: str | None = Field(
        default=None, description="six fields, as EventBridge has them"
    )
    rate: str | None = Field(
        default=None, description="such as `1 hour`; instead of cron"
    )
    timezone: str = Field(
        default="UTC", description="IANA zone on whose wall clock the cron runs"
    )
    paused: str | None = Field(
        default=None,
        min_length=1,
        description="why it is not pulled for now: no pull, and no alarm",
    )


ColumnType = Literal[
    "string", "number", "integer", "boolean", "timestamp", "timestamp_ntz", "date",
    "time", "variant", "binary",
]  # fmt: skip


class Column(Model):
    """A typed column of the ANALYTICS relation."""

    type: ColumnType = Field(
        description="what a value is cast to; one that does not cast is null"
    )
    personal: bool = Field(default=False, description="whether it is personal data")
    description: str | None = Field(
        default=None, description="for the people who read the table"
    )
    path: JsonPath | None = Field(
        default=None, description="where in a record; absent = the column's name"
    )


class Contract(Model):
    """What happens to records that do not match what is declared (dlt's words)."""

    columns: Literal["evolve", "freeze", "discard_row", "discard_value"] = Field(
        default="evolve", description="a column nobody declared"
    )
    data_type: Literal["evolve", "freeze", "discard_row", "discard_value"] = Field(
        default="evolve", description="a value of another type"
    )


class Period(Model):
    """dbt's way to write a duration: `{count: 3, period: hour}`."""

    count: int = Field(gt=0, description="how many")
    period: Literal["minute", "hour", "day"] = Field(description="of what")

    @property
    def duration(self) -> timedelta:
        """The same as a timedelta; a day is 24 hours."""
        return timedelta(**{f"{self.period}s": self.count})


class Calendar(Model):
    """When nothing is due. All times are in `timezone`."""

    timezone: str = Field(default="UTC", description="IANA zone of all its times")
    quiet: tuple[str, ...] = Field(
        default=(), description="daily windows, such as `00:00-05:00`"
    )
    weekdays: (
        tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] | None
    ) = Field(
        default=None, description="the days on which anything is due; absent = all"
    )
    holidays: str | None = Field(
        default=None,
        description="country whose holidays are quiet, such as US or US-NY",
    )


class Probe(Model):
    """How to ask the API for its newest record without a pull."""

    path: str = Field(description="below base_url")
    params: dict[str, str | int | float | bool] = Field(
        default={}, description="the query"
    )
    newest_at: JsonPath = Field(
        description="where in the answer the newest record's time is"
    )


class Freshness(Model):
    """The promise made to the people who use the data."""

    loaded_at_field: JsonPath | None = Field(
        default=None,
        description="the event time inside a record; absent = the load time counts",
    )
    warn_after: Period | None = Field(
        default=None, description="the age that is a warning"
    )
    error_after: Period | None = Field(
        default=None, description="the age that is an error"
    )
    deadline_cron: str | None = Field(
        default=None,
        description="instead of ages, five fields in the calendar's zone: by then …",
    )
    lower_bound_delta: Period | None = Field(
        default=None, description="… there is data no older than this before it"
    )
    calendar: Calendar = Field(default=Calendar(), description="when nothing is due")
    page: Literal["error", "warn", "never"] = Field(
        default="error", description="how late it must be to page somebody"
    )
    repeat_every: Period = Field(
        default=Period(count=1, period="day"),
        description="how often an open page is repeated",
    )
    reopen_within: Period = Field(
        default=Period(count=6, period="hour"),
        description="an incident that comes back within this time is the same one",
    )
    tolerance: Period | None = Field(
        default=None,
        description="how much later a late dataset may be reported, so that checks "
        "share a wake-up of the warehouse",
    )
    probe: Probe | None = Field(
        default=None,
        description="how to ask the API for its newest record; absent = as a pull asks",
    )


Scalar: TypeAlias = str | int | float | bool

MetricName = Literal[
    "rowCount", "nullValues", "missingValues", "duplicateValues", "invalidValues",
    "volume", "newColumns", "missingColumns", "references",
]  # fmt: skip
"""A class of `lambdas.core.quality.metrics` each."""


class CheckArguments(Model):
    """A metric's parameters besides its column (ODCS `arguments`)."""

    valid_values: tuple[Scalar, ...] | None = Field(
        default=None, alias="validValues", description="all values a column may have"
    )
    missing_values: tuple[Scalar | None, ...] | None = Field(
        default=None,
        alias="missingValues",
        description="what counts as missing besides null; absent = the empty text",
    )
    pattern: str | None = Field(
        default=None,
        min_length=1,
        description="a regular expression that is found in a valid value",
    )
    min: float | str | None = Field(
        default=None, description="the least valid value; a date or time as text"
    )
    max: float | str | None = Field(
        default=None, description="the greatest valid value"
    )
    dataset: Name | None = Field(
        default=None, description="the dataset that holds the matches of references"
    )
    column: str | None = Field(
        default=None, description="its column; absent = of the same name"
    )
    delay: Period | None = Field(
        default=None,
        description="how much later a day's rows may come, for volume; absent = as "
        "freshness promises, if that is two days at most",
    )


class QualityCheck(Model):
    """One check of a dataset's rows: a metric of ODCS, one of ours, or SQL."""

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="what it is called; absent = metric_column",
    )
    metric: MetricName | None = Field(default=None, description="what is measured")
    query: str | None = Field(
        default=None,
        min_length=1,
        description="SQL that gives one number; {table} is the relation",
    )
    column: str | None = Field(default=None, description="the column measured")
    arguments: CheckArguments = Field(
        default=CheckArguments(), description="the metric's parameters"
    )
    valid_values: tuple[Scalar, ...] | None = Field(
        default=None, alias="validValues", description="as arguments.validValues"
    )
    must_be: float | None = Field(
        default=None,
        alias="mustBe",
        description="the value is this; 0 for invalidValues, if nothing is said",
    )
    must_not_be: float | None = Field(
        default=None, alias="mustNotBe", description="the value is not this"
    )
    must_be_greater_than: float | None = Field(
        default=None, alias="mustBeGreaterThan", description="the value is above this"
    )
    must_be_greater_or_equal_to: float | None = Field(
        default=None,
        alias="mustBeGreaterOrEqualTo",
        description="the value is this or above",
    )
    must_be_less_than: float | None = Field(
        default=None, alias="mustBeLessThan", description="the value is below this"
    )
    must_be_less_or_equal_to: float | None = Field(
        default=None,
        alias="mustBeLessOrEqualTo",
        description="the value is this or below",
    )
    must_be_between: tuple[float, float] | None = Field(
        default=None,
        alias="mustBeBetween",
        description="the value is from the first to the second, both included",
    )
    must_not_be_between: tuple[float, float] | None = Field(
        default=None,
        alias="mustNotBeBetween",
        description="the value is below the first or above the second",
    )
    severity: Literal["warn", "error"] = Field(
        default="error", description="how bad it is if it fails"
    )
    unit: Literal["rows", "percent"] = Field(
        default="rows", description="whether the value is a count or a share of rows"
    )
    filter: str | None = Field(
        default=None,
        min_length=1,
        description="a SQL condition; only rows for which it is true are checked",
    )
    on: Literal["relation", "run"] = Field(
        default="relation",
        description="whether all rows are checked, or those of the newest pull",
    )
    description: str | None = Field(default=None, description="what the rule is for")

    @property
    def title(self) -> str:
        """What it is called."""
        if self.name is not None:
            return self.name
        parts = (self.metric or "query", self.column)
        return "_".join(part for part in parts if part is not None)

    @property
    def allowed(self) -> tuple[Scalar, ...] | None:
        """The valid values, wherever they stand."""
        if self.arguments.valid_values is not None:
            return self.arguments.valid_values
        return self.valid_values


class CircuitBreaker(Model):
    """How long runs that could not be checked are held back."""

    hold_at_most: Period | None = Field(
        default=None,
        description="rows are shown after this long all the same; absent = error_after",
    )


class Dataset(Model):
    """One table: `datasets/<dataset>.yaml`, its name being the file's."""

    name: Name
    description: str = Field(description="what the table is, in a sentence")
    owner: Owner = Field(description="who answers for it")
    source: Source = Field(description="where the rows come from")
    primary_key: tuple[JsonPath, ...] = Field(
        default=(), description="what identifies a row"
    )
    write_disposition: Literal["append", "merge", "replace"] = Field(
        default="append", description="what happens to a row that already exists"
    )
    allow_empty: bool = Field(
        default=False,
        description="whether a pull of 0 rows may replace one of many, for replace",
    )
    deleted_when: JsonPath | None = Field(
        default=None, description="where a record says that it was deleted, for merge"
    )
    retention: Retention = Field(
        default=Retention(), description="how long what landed is kept"
    )
    table: RelationOptions = Field(
        default=RelationOptions(), description="how the typed relation is made"
    )
    schedule: Schedule = Field(description="when it is pulled")
    columns: dict[str, ColumnType | Column] | None = Field(
        default=None, description="the typed columns; absent = taken from the data"
    )
    contract: Contract = Field(
        default=Contract(), description="what happens to records that do not match"
    )
    freshness: Freshness = Field(
        default=Freshness(), description="how fresh the data are promised to be"
    )
    circuit_breaker: bool | CircuitBreaker = Field(
        default=False,
        description="whether the relation shows only runs that passed their checks of "
        "severity error (docs/quality.md)",
    )
    quality: tuple[QualityCheck, ...] = Field(
        default=(), description="checks of its rows, after each load (docs/quality.md)"
    )

    @property
    def breaker(self) -> CircuitBreaker | None:
        """The circuit breaker, if it has one."""
        written = self.circuit_breaker
        if isinstance(written, CircuitBreaker):
            return written
        return CircuitBreaker() if written else None


class SqlModel(Model):
    """A relation made from others by a SELECT: `models/<name>.sql`, its name being the
    file's. What is said of it stands in the first line of the file, or in a file of
    YAML beside it.
    """

    name: Name
    sql: str = Field(description="the SELECT; {{ ref('flights') }} names a relation")
    output: tuple[str, ...] = Field(
        default=(), description="its columns, as far as they are known before a deploy"
    )
    origins: dict[str, tuple[str, ...]] = Field(
        default={},
        description="of each column, those it is computed from: `relation.COLUMN`",
    )
    materialized: Materialized = Field(
        default="view", description="what it is in Snowflake"
    )
    target_lag: str | None = Field(
        default=None,
        description="how old a dynamic table may be: `1 hour`, or `downstream`",
    )
    refresh_mode: RefreshMode | None = Field(
        default=None,
        description="how a dynamic table is refreshed; absent = incremental, which "
        "`catflap check` refuses where Snowflake would",
    )
    owner: str | Owner | None = Field(
        default=None,
        description="who answers for it, a team or as of a dataset; absent = whoever "
        "does for the first of its inputs",
    )
    freshness: Freshness = Field(
        default=Freshness(),
        description="how fresh it is promised to be; it is as new as its oldest input",
    )
    quality: tuple[QualityCheck, ...] = Field(
        default=(), description="checks of its rows (docs/quality.md)"
    )
    description: str = Field(default="", description="what it is, in a sentence")
    columns: dict[str, str] = Field(
        default={}, description="what its columns are, for the people who read it"
    )


class Catalogue(Model):
    """All that was written, resolved: what every function and stack works from.

    `datasets` maps a name to its dataset, with `source.client` replaced by the Api it
    named; a deploy publishes it as one JSON document.
    """

    datasets: dict[Name, Dataset]
    models: dict[Name, SqlModel] = Field(
        default={}, description="relations made from those and from each other"
    )

    def __getitem__(self, name: str) -> Dataset:
        """The dataset called `name`; KeyError if there is none."""
        return self.datasets[name]


@cache
def catalogue_key() -> str:
    """Where the catalogue stands in the landing bucket.

    The name changes with the model: a deploy that changes both publishes the new
    document beside the old one, and functions of before read theirs until they go.
    Kept, since the schema takes a tenth of a second and a synth asks a dozen times.
    """
    schema = json.dumps(Catalogue.model_json_schema(), sort_keys=True)
    return f"{CATALOGUE}{hashlib.sha256(schema.encode()).hexdigest()[:12]}.json"


def catalogue_to_json(catalogue: Catalogue) -> str:
    """The document that is published; `catalogue_from_json` reads it back equal."""
    return catalogue.model_dump_json(by_alias=True, exclude_unset=True)


def catalogue_from_json(text: str | bytes) -> Catalogue:
    """Read what `catalogue_to_json` wrote."""
    return Catalogue.model_validate_json(text)


def to_json_value(model: Model) -> JsonValue:
    """A model as JSON values, under the names that YAML uses."""
    document: JsonValue = model.model_dump(
        mode="json", by_alias=True, exclude_unset=True
    )
    return document


def zone_of(dataset: Dataset, path: str) -> str | None:
    """The zone declared for times at `path` without an offset: the cursor's, if any."""
    incremental = dataset.source.cursor
    if incremental is None or steps(incremental.cursor_path) != steps(path):
        return None
    return incremental.timezone
