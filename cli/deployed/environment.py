"""A deployed environment, as the commands about it reach it.

What was deployed is found by its name (`lambdas.core.names`), in the account and the
region of `environments/<env>.yaml`. boto3 honours AWS_ENDPOINT_URL and AWS_PROFILE.
Snowflake is entered as the environment's reader, unless the shell says who asks:
SNOWFLAKE_USER, SNOWFLAKE_ROLE and SNOWFLAKE_AUTHENTICATOR (`externalbrowser` for a
person, `workload_identity`, `key_pair`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cli.deployed.local import LOCAL, LocalStack
from lambdas.adapters.environment import SystemClock, variables
from lambdas.core.errors import BadInput, CatflapError
from lambdas.core.names import (
    event_bus_name,
    landing_bucket_name,
    state_table_name,
)
from lambdas.core.settings import FreshnessSettings
from project.environment import Environment
from project.environment_file import read_environment
from project.login import login_settings

if TYPE_CHECKING:
    import boto3

    from lambdas.adapters.state.checks import CheckTable
    from lambdas.adapters.state.incidents import IncidentTable
    from lambdas.adapters.state.runs import StateTable
    from lambdas.core.incidents.pointers import Pointers

ENVIRONMENTS = Path("environments")
FROM_THE_SHELL = (
    "snowflake_user",
    "snowflake_role",
    "snowflake_authenticator",
    "snowflake_private_key_secret",
    "snowflake_endpoint_url",
)
"""Settings that the person who asks may say otherwise."""


class NotReached(CatflapError):
    """AWS did not give what was asked for."""


@dataclass(frozen=True, kw_only=True)  # no slots: a cached property needs a place
class Deployed:
    """One environment in AWS."""

    environment: Environment
    settings: FreshnessSettings
    _clients: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def _session(self) -> boto3.Session:
        """Its own: boto3's default session keeps the first credentials it saw."""
        import boto3  # noqa: PLC0415 - half a second, for who needs it

        from cli.deployed.aws_models import quick_session  # noqa: PLC0415 - as boto3

        return boto3.Session(
            region_name=self.environment.region, botocore_session=quick_session()
        )

    def aws(self, service: str) -> Any:  # noqa: ANN401 - each service has its own type
        """The client of a service in the environment's region."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service)  # type: ignore[call-overload]  # the name is a variable
        return self._clients[service]

    def incidents(self) -> IncidentTable:
        """Incidents and what the monitor remembers."""
        from lambdas.adapters.state.incidents import IncidentTable  # noqa: PLC0415 - boto3

        table = self.settings.state_table
        return IncidentTable(dynamodb=self.aws("dynamodb"), table=table)

    def runs(self) -> StateTable:
        """Cursors and runs."""
        from lambdas.adapters.state.runs import StateTable  # noqa: PLC0415 - boto3

        table = self.settings.state_table
        return StateTable(dynamodb=self.aws("dynamodb"), table=table)

    def checks(self) -> CheckTable:
        """Results of quality checks."""
        from lambdas.adapters.state.checks import CheckTable  # noqa: PLC0415 - boto3

        table = self.settings.state_table
        return CheckTable(dynamodb=self.aws("dynamodb"), table=table)

    @property
    def pointers(self) -> Pointers:
        """What texts about this environment point to, as its messages do."""
        from lambdas.core.incidents.pointers import Pointers  # noqa: PLC0415 - msgspec's types of incidents, for who prints a cause

        return Pointers(
            environment=self.environment.name,
            runbook_url=self.environment.runbook_url,
            repository_url=self.environment.repository_url,
        )

    def landed_topic(self) -> str:
        """The topic that the landing bucket notifies; empty if it notifies none."""
        told = self.aws("s3").get_bucket_notification_configuration(
            Bucket=self.settings.landing_bucket
        )
        topics = [one["TopicArn"] for one in told.get("TopicConfigurations", ())]
        return str(next(iter(topics), ""))

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Turn what AWS refuses into a sentence; raises NotReached."""
        from botocore.exceptions import (  # noqa: PLC0415 - as boto3
            BotoCoreError,
            ClientError,
        )

        from cli.deployed.aws_errors import sentence_of  # noqa: PLC0415 - as boto3

        place = f"account {self.environment.account}, {self.environment.region}"
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            if _code(error) == "ResourceNotFoundException":
                raise NotReached(
                    f"there is no table {self.settings.state_table} in {place}: is "
                    f"{self.environment.name} deployed, and are these its account's "
                    "credentials? --env NAME asks another environment"
                ) from error
            raise NotReached(sentence_of(error, place=place)) from error


def _code(error: Exception) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def deployed(name: str, *, environments: Path) -> Deployed:
    """The environment called `name`; `local` is the embedded stack that is up.

    Raises BadInput, BadFiles.
    """
    if name == LOCAL:
        stack = LocalStack.read()
        stack.enter()
        return reached_in(stack.environments, LOCAL)
    return reached_in(environments, name)


def reached_in(environments: Path, name: str) -> Deployed:
    """The environment of a folder. Raises BadInput, BadFiles."""
    environment = read_environment(environments, name)
    return Deployed(
        environment=environment, settings=settings_of(environment, variables())
    )


def settings_of(
    environment: Environment, shell: Mapping[str, str]
) -> FreshnessSettings:
    """What the freshness function of an environment knows, as far as names tell.

    `shell` is the environment of whoever asks. Raises BadInput.
    """
    known = {
        **login_settings(environment.snowflake, environment.snowflake.reader),
        "state_table": state_table_name(environment.name),
        "landing_bucket": landing_bucket_name(
            environment.name, account=environment.account, region=environment.region
        ),
        # What is deployed may be of another version, and have another.
        "catalogue_key": "",
        "event_bus": event_bus_name(environment.name),
        # Nothing is published from here: a notice goes to the outbox.
        "engineers_topic_arn": "",
        "stakeholders_topic_arn": "",
        "channels": environment.channels_json,
        "digests": environment.digests_json,
        "environment_name": environment.name,
        "check_every_s": environment.check_every_minutes * 60,
        "allowed_origins": environment.allowed_origins_json(),
        # A probe from here may ask this machine.
        "aws_endpoint_url": "",
    }
    said = {key: shell[key.upper()] for key in FROM_THE_SHELL if shell.get(key.upper())}
    try:
        return FreshnessSettings.model_validate({**known, **said})
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, one['loc'])).upper()}: {one['msg']}"
            for one in error.errors(include_input=False)
        )
        raise BadInput(f"a variable of the shell is not accepted: {faults}") from None


def who() -> str:
    """The person at the keyboard."""
    shell = variables()
    return shell.get("LOGNAME") or shell.get("USER") or "someone"


def now() -> datetime:
    """The time it is: CATFLAP_NOW (ISO 8601 with an offset) for a stack that lives in
    another one, as the embedded stack does. Raises BadInput.
    """
    text = variables().get("CATFLAP_NOW")
    return SystemClock().now() if not text else moment("CATFLAP_NOW", text)


def moment(option: str, text: str) -> datetime:
    """A time that says its offset, in UTC. Raises BadInput."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise BadInput(
            f"{option}: {text!r} is not a time with an offset; accepted: ISO 8601, "
            "such as 2026-11-23T14:00:00Z"
        )
    return read.astimezone(UTC)
