"""What each function reads from its environment, as types.

A stack writes a function's environment with `to_environment`, the function reads it
with `from_environment`: the same class, so a name that is missing fails the synth.
Nothing here reads `os.environ`; that is `lambdas.adapters.environment`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from lambdas.core.errors import BadInput
from lambdas.core.http.destinations import Destinations


class FunctionSettings(BaseModel):
    """The base of all: field `state_table` is the variable `STATE_TABLE`."""

    # a function reads one of them: none is built, nor its source read, before that
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    def to_environment(self) -> dict[str, str]:
        """The variables a function needs to read these settings back."""
        return {
            name.upper(): str(value)
            for name, value in self.model_dump().items()
            if value is not None
        }

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings; BadInput names every variable that is missing or wrong."""
        values = {
            name: environment[name.upper()]
            for name in cls.model_fields
            if name.upper() in environment
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = ", ".join(
                f"{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
                for fault in error.errors(include_input=False)
            )
            message = (
                f"the function's environment does not fit {cls.__name__}: {faults}"
            )
            raise BadInput(message) from None


class SnowflakeSettings(FunctionSettings):
    """How a function reaches Snowflake; of a key, the name of its secret."""

    snowflake_account: str
    snowflake_user: str
    snowflake_role: str
    snowflake_warehouse: str
    snowflake_database: str
    snowflake_authenticator: Literal[
        "workload_identity", "key_pair", "externalbrowser"
    ] = "workload_identity"
    """`externalbrowser` is for a person at a desk; no function has one."""
    snowflake_private_key_secret: str | None = None
    snowflake_endpoint_url: str | None = None
    """Snowflake's address, if not the account's own (a proxy, or the embedded
    stack); like `AWS_ENDPOINT_URL`."""


class CatalogueSettings(FunctionSettings):
    """A function that knows the datasets."""

    landing_bucket: str
    catalogue_key: str
    """Where in the bucket they stand."""


class UpstreamSettings(CatalogueSettings):
    """A function that asks upstream."""

    allowed_origins: str = "{}"
    """JSON: names of secrets to the origins that they may be sent to."""
    aws_endpoint_url: str | None = None
    """Set by whoever runs a function on their own machine; absent in AWS."""

    @property
    def destinations(self) -> Destinations:
        """Where requests and secrets may go."""
        allowed: dict[str, list[str]] = json.loads(self.allowed_origins)
        return Destinations(
            allowed_origins={name: frozenset(all_) for name, all_ in allowed.items()},
            loopback=self.aws_endpoint_url is not None,
        )


class PullSettings(UpstreamSettings):
    """The pull function."""

    state_table: str
    pulls_queue_url: str
    backfills_queue_url: str
    event_bus: str


class ChannelSettings(FunctionSettings):
    """A function that knows how people are told."""

    channels: str = "{}"
    """JSON: channels to their keys in the environment; absent = no such channel."""
    pagerduty_url: str | None = None
    """As `slack_api_url`."""
    slack_api_url: str | None = None
    """Slack's address, if not its own; like `snowflake_endpoint_url`."""

    @property
    def secrets_of_channels(self) -> dict[str, str]:
        """The names of secrets, by channel."""
        return {name: one["secret"] for name, one in self._channels().items()}

    def option(self, channel: str, key: str) -> str | None:
        """What a channel's `key` is set to."""
        return self._channels().get(channel, {}).get(key)

    def _channels(self) -> dict[str, dict[str, str]]:
        kept: dict[str, dict[str, str]] = json.loads(self.channels)
        return kept


class DigestSettings(ChannelSettings):
    """A function that knows which teams get a morning digest."""

    digests: str = "{}"
    """JSON: teams to their time zones."""

    @property
    def zones_of_digests(self) -> dict[str, str]:
        """The time zones of teams that get one, by team."""
        kept: dict[str, str] = json.loads(self.digests)
        return kept


class FreshnessSettings(DigestSettings, SnowflakeSettings, UpstreamSettings):
    """The freshness function."""

    state_table: str
    event_bus: str
    engineers_topic_arn: str
    stakeholders_topic_arn: str
    environment_name: str | None = None
    """Part of schedules' names and of the commands in messages; absent = schedules
    are not asked whether they are enabled."""
    runbook_url: str | None = None
    repository_url: str | None = None
    check_every_s: int = 300
    load_grace_s: int = 900
    skew_s: int = 300


class SlackSettings(FunctionSettings):
    """The function that Slack calls."""

    slack_secret: str
    people_queue_url: str
    slack_api_url: str | None = None


class PeopleSettings(ChannelSettings, CatalogueSettings):
    """The function that does what people asked for."""

    state_table: str
    pulls_queue_url: str


class RepairSettings(SnowflakeSettings, CatalogueSettings):
    """The function that finds and mends what landed and did not load."""

    state_table: str
    landed_topic_arn: str
    check_every_s: int = 300
    load_grace_s: int = 900


class LineageSettings(CatalogueSettings):
    """The function that tells a lineage service of runs."""

    environment_name: str
    snowflake_account: str
    snowflake_database: str
    lineage_url: str
    lineage_secret: str | None = None
    """The name of a secret with an `api_key`."""


class ReportSettings(DigestSettings, SnowflakeSettings, CatalogueSettings):
    """The function that makes reports."""

    state_table: str
    environment_name: str
    check_every_s: int = 300
    runbook_url: str | None = None
    repository_url: str | None = None
    credit_price: float = 3.0
    in_vpc: bool = False
    """Whether functions use a NAT gateway, for the cost estimate."""
    budgets: str = "{}"
    """JSON: teams to USD a month."""
    snowflake_users: str = "{}"
    """JSON: `admin`, `reader`, `repairer` and `reporter` to a user and its role."""
    aws_endpoint_url: str | None = None
    """As `UpstreamSettings`."""

    @property
    def is_simulated(self) -> bool:
        """Whether the stack is an embedded one; what it makes says so."""
        return self.aws_endpoint_url is not None

    @property
    def budgets_of_teams(self) -> dict[str, float]:
        """USD a month, by team."""
        kept: dict[str, float] = json.loads(self.budgets)
        return kept

    @property
    def logins_of_ours(self) -> dict[str, tuple[str, str]]:
        """The user and the role of each, by what it is for."""
        return {
            name: (user, role)
            for name, (user, role) in json.loads(self.snowflake_users).items()
        }


class WarehouseSettings(SnowflakeSettings, CatalogueSettings):
    """The function behind the `warehouse` custom resource."""

    state_table: str
    """Where the columns seen in the data are kept; read only."""
    landed_topic_arn: str
    reader_role: str
    """The Snowflake role of the freshness function, which gets SELECT and MONITOR."""
    repairer_role: str
    """The Snowflake role of the repair function, which gets OPERATE as well, and
    DELETE where old runs are removed."""
