"""The environment model: what differs between dev and prod, `environments/<env>.yaml`.

The name of an environment is its file's. It stands in names that Snowflake and
EventBridge Scheduler see, so it is short.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    create_model,
    model_validator,
)

from lambdas.core.dataset import Catalogue, to_json_value
from lambdas.core.http.auth import references_in
from lambdas.core.http.destinations import Destinations, secret_name
from lambdas.core.http.urls import is_private_enough, origin_of
from lambdas.core.incidents.channels import CHANNELS, ChannelKind
from lambdas.core.names import role_name
from lambdas.core.rules.api import origin_faults
from lambdas.core.schedule.zones import zone
from lambdas.core.sql import bootstrap

MAX_NAME = 7
"""`catflap-<environment>-<dataset>` names a schedule, which ends at 64 characters; a
dataset may use 48 (EventBridge Scheduler, CreateSchedule)."""

MAX_SCHEDULES = 400
"""Of one stack: CloudFormation takes 500 resources, and names are hashed over the
stacks, so that one has more than its share."""
MAX_STACKS = 50

WITHOUT_FUNCTION_URLS = frozenset({
    "ap-east-2", "ap-south-2", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6",
    "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-2", "il-central-1",
    "me-central-1",
})  # fmt: skip
"""Regions in which a function has no URL (Lambda, "Creating function URLs")."""

Identifier = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,254}$")]
"""An unquoted Snowflake identifier, as Snowflake stores it."""

SecretName = Annotated[str, Field(pattern=r"^[A-Za-z0-9/_+=.@-]{1,512}$")]


def _is_zone(text: str) -> str:
    zone(text)
    return text


def _is_origin(text: str) -> str:
    if urlsplit(text).path not in {"", "/"} or not is_private_enough(text):
        message = "is not an origin; accepted: such as https://api.example.com"
        raise ValueError(message)
    return text


Origin = Annotated[str, AfterValidator(_is_origin)]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """Where a dataset does not fit, or a key of the environment itself."""

    dataset: str | None
    key: tuple[str, ...]
    sentence: str

    def __str__(self) -> str:
        """As a line of `check` without file and line."""
        of = f"{self.dataset}: " if self.dataset is not None else ""
        return f"{of}{'.'.join(self.key)}: {self.sentence}"


def _stack_of(dataset: str, stacks: int) -> int:
    return int.from_bytes(sha256(dataset.encode()).digest()[:8]) % stacks


def _fullest(catalogue: Catalogue, stacks: int) -> int:
    """How many schedules the fullest of so many stacks would hold."""
    held = Counter(_stack_of(name, stacks) for name in catalogue.datasets)
    return max(held.values(), default=0)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Login(_Model):
    """A Snowflake service user and the role it works under."""

    user: Identifier = Field(description="made by `catflap bootstrap-sql`")
    role: Identifier = Field(description="as the user")
    private_key_secret: SecretName | None = Field(
        default=None, description="name of the secret with the key, for `key_pair`"
    )


class Snowflake(_Model):
    """The account, and who we are there."""

    account: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+$", description="`<organization>-<account>`"
    )
    database: Identifier = Field(description="made by the first deploy")
    warehouse: Identifier = Field(description="made by `catflap bootstrap-sql`")
    authenticator: Literal["workload_identity", "key_pair"] = Field(
        default="workload_identity", description="how functions sign in"
    )
    admin: Login = Field(description="makes and owns the objects, loads included")
    reader: Login = Field(description="reads tables and watches pipes")
    repairer: Login | None = Field(
        default=None,
        description="makes pipes load what they missed, and deletes old runs; absent = "
        "user and role `<database>_REPAIRER`",
    )
    reporter: Login | None = Field(
        default=None,
        description="reads the account's usage and grants, for reports; absent = user "
        "and role `<database>_REPORTER`; with `key_pair` none",
    )
    reads_queries: bool = Field(
        default=False,
        description="whether reports may read the text of every query in the account, "
        "to name who used or granted what",
    )

    @property
    def repair_login(self) -> Login:
        """The repairer, by its own name or by the database's."""
        name = f"{self.database}_REPAIRER"
        return self.repairer or Login(user=name, role=name)

    @property
    def report_login(self) -> Login:
        """The reporter, by its own name or by the database's."""
        name = f"{self.database}_REPORTER"
        return self.reporter or Login(user=name, role=name)

    @property
    def has_reporter(self) -> bool:
        """Whether the reporter can sign in: with `key_pair` only one with a key."""
        return self.authenticator != "key_pair" or self.reporter is not None

    @model_validator(mode="after")
    def _key_pair_needs_its_secret(self) -> Self:
        if self.authenticator == "key_pair":
            for name, login in (
                ("admin", self.admin),
                ("reader", self.reader),
                ("repairer", self.repair_login),
                ("reporter", self.reporter),
            ):
                if login is not None and login.private_key_secret is None:
                    message = (
                        f"{name}.private_key_secret is missing; `authenticator: "
                        "key_pair` needs the name of the secret that holds the key"
                    )
                    raise ValueError(message)
        return self


class ChannelKeys(_Model):
    """Where a channel's secret is kept, such as Slack's webhook; never the secret."""

    secret: SecretName = Field(description="the name of its secret")


def _keys_of(name: str, kind: ChannelKind) -> type[ChannelKeys]:
    """The model of a channel: its secret, and its options."""
    options: dict[str, tuple[object, object]] = {
        key: (
            str | None,
            Field(
                default=one.default, pattern=one.pattern, description=one.description
            ),
        )
        for key, one in kind.options.items()
    }
    made: type[ChannelKeys] = create_model(
        f"{name.title()}Channel",
        __base__=ChannelKeys,
        __doc__=ChannelKeys.__doc__,
        **options,  # type: ignore[call-overload]  # fields by name
    )
    return made


if TYPE_CHECKING:
    _Channels = _Model
else:  # each channel that needs a secret is a key of its own: `slack: {secret: …}`
    _Channels = create_model(
        "_Channels",
        __base__=_Model,
        **{
            name: (_keys_of(name, kind) | None, None)
            for name, kind in CHANNELS.items()
            if kind.needs_secret
        },
    )


class Team(_Model):
    """Who hears what by e-mail, beside Slack."""

    engineers: tuple[Email, ...] = Field(
        default=(), description="e-mail addresses told as engineers"
    )
    stakeholders: tuple[Email, ...] = Field(
        default=(), description="e-mail addresses told as stakeholders"
    )
    timezone: Annotated[str, AfterValidator(_is_zone)] = Field(
        default="UTC", description="where the team is, for `digest_at`"
    )
    digest_at: str | None = Field(
        default=None,
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="when the team gets its morning digest, such as `07:30`, and on "
        "the first of the month its causes report; absent = neither",
    )


class Network(_Model):
    """Where functions' traffic leaves from; without a VPC, Lambda's own network."""

    vpc: str | None = Field(
        default=None,
        pattern=r"^vpc-[0-9a-f]{8,17}$",
        description="the VPC of the functions; absent = none",
    )
    subnets: tuple[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...] = (
        Field(default=(), description="its subnets that traffic leaves from")
    )
    security_groups: tuple[
        Annotated[str, Field(pattern=r"^sg-[0-9a-f]{8,17}$")], ...
    ] = Field(default=(), description="what the functions may reach")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        named = bool(self.subnets), bool(self.security_groups)
        if named != (self.vpc is not None, self.vpc is not None):
            message = (
                "is not whole; `vpc`, `subnets` and `security_groups` are given "
                "together, or none of them"
            )
            raise ValueError(message)
        return self


class OpenLineage(_Model):
    """A service that hears of runs in OpenLineage's words."""

    url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="where run events go; without a path, to its `/api/v1/lineage`; "
        "absent = nowhere",
    )
    secret: SecretName | None = Field(
        default=None, description='name of a secret with `{"api_key"}`'
    )


class Environment(_Channels):
    """One place to deploy to. Durations are in the unit of their name."""

    name: str = Field(pattern=rf"^[a-z][a-z0-9]{{0,{MAX_NAME - 1}}}$")
    account: str = Field(pattern=r"^\d{12}$", description="AWS's, in quotes")
    region: str = Field(
        pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", description="where to deploy"
    )
    snowflake: Snowflake = Field(description="the account, and who we are there")
    teams: dict[str, Team] = Field(
        min_length=1,
        description="the teams; each dataset's `owner.team` must be one of them",
    )
    schedule_stacks: int = Field(
        default=4,
        ge=1,
        le=MAX_STACKS,
        description="fixed for an environment's life: another number would move "
        "schedules between stacks, and their names would collide",
    )
    max_concurrent_pulls: int = Field(
        default=10, ge=2, le=1000, description="datasets pulled at once"
    )
    max_concurrent_backfills: int = Field(
        default=4,
        ge=2,
        le=1000,
        description="slices of backfills pulled at once, besides the live pulls",
    )
    check_every_minutes: int = Field(
        default=5, ge=1, le=60, description="between two freshness checks"
    )
    keep_data: bool = Field(
        default=True, description="keep landed data when the stack is deleted"
    )
    log_retention_days: Literal[7, 14, 30, 90, 180, 365] = Field(
        default=30, description="how long logs are kept"
    )
    tags: dict[str, str] = Field(default={}, description="on every resource")
    budgets: dict[str, Annotated[float, Field(gt=0, strict=False)]] = Field(
        default={}, description="USD a month, a team; `catflap cost` compares"
    )
    credit_price: Annotated[float, Field(gt=0, strict=False)] = Field(
        default=3.0, description="what a Snowflake credit costs, in USD"
    )
    openlineage: OpenLineage = Field(
        default=OpenLineage(), description="where run events are sent, if anywhere"
    )
    runbook_url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+\{cause\}\S*$",
        description="where messages and commands find a cause's runbook, with "
        "`{cause}` in it; absent = the page in `repository_url`",
    )
    repository_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s{}]+$",
        description="where this project is kept, so that messages link its pages",
    )
    permissions_boundary: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/\S+$",
        description="the ARN of a managed policy that bounds every role",
    )
    secrets_key: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/(mrk-)?[0-9a-f-]+$",
        description="the ARN of the KMS key that the secrets are under; absent = AWS's",
    )
    network: Network = Field(
        default=Network(),
        description="VPC, subnets and security groups of the functions; absent = none",
    )
    allowed_origins: dict[SecretName, tuple[Origin, ...]] = Field(
        default={},
        description="a secret's name to the origins it may be sent to; absent = any",
    )

    @property
    def channel_secrets(self) -> dict[str, str]:
        """The names of the channels' secrets, of the channels that are declared."""
        return {name: one.secret for name, one in self._channel_keys().items()}

    @property
    def has_function_urls(self) -> bool:
        """Whether Slack can call a function there."""
        return self.region not in WITHOUT_FUNCTION_URLS

    @property
    def channels_json(self) -> str:
        """The declared channels with their keys, as functions read them."""
        declared = self._channel_keys().items()
        return json.dumps(
            {name: one.model_dump(exclude_none=True) for name, one in declared}
        )

    @property
    def snowflake_logins(self) -> dict[str, tuple[str, str]]:
        """The user and the role of each of catflap's functions in Snowflake."""
        known = self.snowflake_account
        return {
            name: (one.user.upper(), one.role.upper())
            for name, one in (
                ("admin", known.admin),
                ("reader", known.reader),
                ("repairer", known.repairer),
                ("reporter", known.reporter),
            )
        }

    @property
    def digests_json(self) -> str:
        """The time zones of teams that get a digest, as functions read them."""
        teams = sorted(self.teams.items())
        return json.dumps({name: one.timezone for name, one in teams if one.digest_at})

    def _channel_keys(self) -> dict[str, ChannelKeys]:
        kept = {name: getattr(self, name, None) for name in CHANNELS}
        return {name: one for name, one in kept.items() if one is not None}

    def allowed_origins_json(self, catalogue: Catalogue | None = None) -> str:
        """As functions read them; with a catalogue only what it needs (4 KB)."""
        value = None if catalogue is None else to_json_value(catalogue)
        named = {secret_name(one) for one in references_in(value)}
        return json.dumps(
            {
                name: sorted(map(origin_of, origins))
                for name, origins in sorted(self.allowed_origins.items())
                if catalogue is None or name in named
            }
        )

    @property
    def snowflake_account(self) -> bootstrap.Account:
        """Who works in the Snowflake account, for the SQL that makes them."""
        known = self.snowflake
        return bootstrap.Account(
            admin=self._service_user(known.admin, "warehouse"),
            reader=self._service_user(known.reader, "freshness"),
            repairer=self._service_user(known.repair_login, "repair"),
            reporter=self._service_user(known.report_login, "reports"),
            reads_queries=known.reads_queries,
            warehouse=known.warehouse,
            database=known.database,
        )

    def _service_user(self, login: Login, function: str) -> bootstrap.ServiceUser:
        arn = f"arn:aws:iam::{self.account}:role/{role_name(self.name, function)}"
        has_key = self.snowflake.authenticator == "key_pair"
        return bootstrap.ServiceUser(
            user=login.user,
            role=login.role,
            function=function,
            aws_role_arn=None if has_key else arn,
        )

    def faults_of(self, catalogue: Catalogue) -> list[Misfit]:
        """What does not fit between the environment and the datasets."""
        known = ", ".join(sorted(self.teams))
        return [
            *self._schedule_faults(catalogue),
            *(
                Misfit(
                    dataset=None,
                    key=("budgets", team),
                    sentence=f"`{team}` is not a team; known teams: {known}",
                )
                for team in sorted(set(self.budgets) - set(self.teams))
            ),
            *(
                Misfit(
                    dataset=name,
                    key=("owner", "team"),
                    sentence=f"`{dataset.owner.team}` is not a team of "
                    f"environments/{self.name}.yaml; known teams: {known}",
                )
                for name, dataset in sorted(catalogue.datasets.items())
                if dataset.owner.team not in self.teams
            ),
            *(
                Misfit(dataset=name, key=("source", "client"), sentence=sentence)
                for name, dataset in sorted(catalogue.datasets.items())
                for sentence in origin_faults(dataset, self._destinations())
            ),
        ]

    def schedule_stack_of(self, dataset: str) -> int:
        """The number, from 0, of the stack that holds the schedule of `dataset`."""
        return _stack_of(dataset, self.schedule_stacks)

    def _schedule_faults(self, catalogue: Catalogue) -> list[Misfit]:
        fullest = _fullest(catalogue, self.schedule_stacks)
        if fullest <= MAX_SCHEDULES:
            return []
        enough = next(
            (
                n
                for n in range(1, MAX_STACKS + 1)
                if _fullest(catalogue, n) <= MAX_SCHEDULES
            ),
            None,
        )
        accepted = (
            f"{enough} stacks or more are accepted (docs/deploying.md says how)"
            if enough
            else f"not even {MAX_STACKS} stacks, the most there may be, suffice"
        )
        return [
            Misfit(
                dataset=None,
                key=("schedule_stacks",),
                sentence=f"{fullest:,} of {len(catalogue.datasets):,} schedules fall "
                f"into one of {self.schedule_stacks} stacks, which takes "
                f"{MAX_SCHEDULES}; {accepted}",
            )
        ]

    def _destinations(self) -> Destinations:
        return Destinations(
            allowed_origins={
                name: frozenset(map(origin_of, origins))
                for name, origins in self.allowed_origins.items()
            }
        )
