"""The dataset model: what an engineer writes in `datasets/` and `apis/`.

The words are the field's own: dlt's `rest_api` for sources, dbt's for freshness,
ODCS for quality. Every model is frozen and refuses unknown keys. Values are validated
strictly, as from JSON: "3" is not 3.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from lambdas.core.auth import Auth
from lambdas.core.json_path import JsonPath
from lambdas.core.paging import AutoPaginator, Paginator

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,47}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Model(BaseModel):
    """Frozen, strict, and without room for keys nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Owner(Model):
    """Who answers for the dataset, and where its people are told."""

    team: str
    slack: str | None = None
    stakeholders: str | None = None


class RateLimit(Model):
    """A budget on our side: so many requests a period, shared by an API's datasets."""

    requests: int = Field(gt=0)
    period: Literal["second", "minute", "hour"] = "second"


class Retry(Model):
    """How often a request is tried: 429, 5xx, resets and timeouts."""

    max_attempts: int = Field(default=5, ge=1, le=20)
    backoff_factor: float = Field(default=1, ge=0)
    max_delay: float = Field(default=300, ge=0)


class Api(Model):
    """How to talk to one upstream: `apis/<api>.yaml`."""

    base_url: str
    headers: dict[str, str] = {}
    auth: Auth | None = None
    paginator: Paginator = AutoPaginator()
    rate_limit: RateLimit | None = None
    retry: Retry = Retry()
    timeout: float = Field(default=60, gt=0, description="seconds, a request")


class ResponseAction(Model):
    """What to do with an odd answer, by status, by content, or by both."""

    status_code: int | None = Field(default=None, ge=100, le=599)
    content: str | None = None
    action: Literal["ignore", "retry", "fail"]


class Incremental(Model):
    """The cursor: which rows are new."""

    cursor_path: JsonPath
    initial_value: str | int | float | None = None
    end_value: str | int | float | None = None
    lag: float = Field(default=0, ge=0)
    row_order: Literal["asc", "desc"] | None = None
    on_cursor_value_missing: Literal["raise", "include", "exclude"] = "raise"
    range_start: Literal["open", "closed"] = "closed"
    range_end: Literal["open", "closed"] = "open"
    format: str | None = Field(
        default=None,
        description="how the API wants the value: a strftime pattern, "
        "`epoch` or `epoch_ms`",
    )
    timezone: str | None = Field(
        default=None, description="IANA zone of cursor values that carry no offset"
    )


class Endpoint(Model):
    """One resource of an API, and how its pages are read."""

    path: str
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, str | int | float | bool] = {}
    json_body: dict[str, JsonValue] | None = Field(default=None, alias="json")
    headers: dict[str, str] = {}
    data_selector: JsonPath | None = None
    paginator: Paginator | None = None
    response_actions: tuple[ResponseAction, ...] = ()
    incremental: Incremental | None = None
    format: Literal["json", "jsonl", "csv"] = "json"


class Parent(Model):
    """Fan-out: one request per row of another dataset."""

    dataset: Name
    fields: dict[str, str]


class Source(Model):
    """Where the rows come from: an endpoint of an API, or a Python generator."""

    client: Name | Api | None = None
    endpoint: Endpoint | None = None
    parent: Parent | None = None
    python: str | None = None


_DAYS = re.compile(r"([1-9][0-9]{0,4}) days?")


def _is_days(text: str) -> str:
    if _DAYS.fullmatch(text) is None:
        message = "must be a number of days, such as `90 days`"
        raise ValueError(message)
    return text


Days = Annotated[str, AfterValidator(_is_days)]


class Retention(Model):
    """How long what landed is kept."""

    raw: Days = "400 days"
    quarantine: Days = "90 days"
    runs: int = Field(default=10, ge=1, description="complete runs kept, for `replace`")


class Table(Model):
    """How the typed relation in ANALYTICS is made."""

    materialized: Literal["view", "dynamic_table"] = "view"
    target_lag: str | None = None


class Schedule(Model):
    """When the dataset is pulled: EventBridge's six-field cron, or a rate."""

    cron: str | None = None
    rate: str | None = None
    timezone: str = "UTC"


ColumnType = Literal[
    "string", "number", "integer", "boolean", "timestamp", "timestamp_ntz", "date",
    "time", "variant", "binary",
]  # fmt: skip


class Column(Model):
    """A typed column of the ANALYTICS relation."""

    type: ColumnType
    personal: bool = False
    description: str | None = None
    path: JsonPath | None = Field(
        default=None, description="where in a record; absent = the column's name"
    )


class Contract(Model):
    """What happens to records that do not look as declared (dlt's words)."""

    columns: Literal["evolve", "freeze", "discard_row", "discard_value"] = "evolve"
    data_type: Literal["evolve", "freeze", "discard_row", "discard_value"] = "evolve"


class Period(Model):
    """dbt's way to write a duration: `{count: 3, period: hour}`."""

    count: int = Field(gt=0)
    period: Literal["minute", "hour", "day"]

    @property
    def duration(self) -> timedelta:
        """The same as a timedelta; a day is 24 hours."""
        return timedelta(**{f"{self.period}s": self.count})


class Calendar(Model):
    """When nothing is due. All times are in `timezone`."""

    timezone: str = "UTC"
    quiet: tuple[str, ...] = ()
    weekdays: (
        tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] | None
    ) = None
    holidays: str | None = None


class Probe(Model):
    """How to ask upstream for its newest record, apart from a pull."""

    path: str
    params: dict[str, str | int | float | bool] = {}
    newest_at: JsonPath


class Freshness(Model):
    """The promise made to the people who use the data."""

    loaded_at_field: JsonPath | None = None
    warn_after: Period | None = None
    error_after: Period | None = None
    deadline_cron: str | None = None
    lower_bound_delta: Period | None = None
    calendar: Calendar = Calendar()
    probe: Probe | None = None


class Check(Model):
    """One quality rule (ODCS)."""

    metric: (
        Literal["rowCount", "nullValues", "duplicateValues", "invalidValues"] | None
    ) = None
    query: str | None = None
    column: str | None = None
    valid_values: tuple[str | int | float | bool, ...] | None = Field(
        default=None, alias="validValues"
    )
    must_be: float | None = Field(default=None, alias="mustBe")
    must_not_be: float | None = Field(default=None, alias="mustNotBe")
    must_be_greater_than: float | None = Field(default=None, alias="mustBeGreaterThan")
    must_be_greater_or_equal_to: float | None = Field(
        default=None, alias="mustBeGreaterOrEqualTo"
    )
    must_be_less_than: float | None = Field(default=None, alias="mustBeLessThan")
    must_be_less_or_equal_to: float | None = Field(
        default=None, alias="mustBeLessOrEqualTo"
    )
    must_be_between: tuple[float, float] | None = Field(
        default=None, alias="mustBeBetween"
    )
    severity: Literal["error", "warning"] = "error"
    description: str | None = None


class Dataset(Model):
    """One table: `datasets/<dataset>.yaml`, its name being the file's."""

    name: Name
    description: str
    owner: Owner
    source: Source
    primary_key: tuple[JsonPath, ...] = ()
    write_disposition: Literal["append", "merge", "replace"] = "append"
    deleted_when: JsonPath | None = None
    retention: Retention = Retention()
    table: Table = Table()
    schedule: Schedule
    columns: dict[str, ColumnType | Column] | None = None
    contract: Contract = Contract()
    freshness: Freshness = Freshness()
    circuit_breaker: bool = False
    quality: tuple[Check, ...] = ()


class Catalogue(Model):
    """All that was written, resolved: what every function and stack works from.

    `datasets` maps a name to its dataset, with `source.client` replaced by the Api it
    named; it is written as one JSON document into the bundle.
    """

    datasets: dict[Name, Dataset]

    def __getitem__(self, name: str) -> Dataset:
        """The dataset called `name`; KeyError if there is none."""
        return self.datasets[name]


def catalogue_to_json(catalogue: Catalogue) -> str:
    """The document a bundle carries; `catalogue_from_json` reads it back equal."""
    return catalogue.model_dump_json(by_alias=True, exclude_defaults=True)


def catalogue_from_json(text: str | bytes) -> Catalogue:
    """Read what `catalogue_to_json` wrote."""
    return Catalogue.model_validate_json(text)


def to_json_value(model: Model) -> JsonValue:
    """A model as JSON values, under the names that YAML uses."""
    document: JsonValue = model.model_dump(
        mode="json", by_alias=True, exclude_defaults=True
    )
    return document
