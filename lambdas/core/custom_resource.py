"""The words of the custom resource that makes Snowflake's side.

One function, four resources, in this order within one deploy:

1. `Step: catalogue`, with `SourceBucket` and `SourceKey`, where the CDK has put the
   datasets. Copies them to where functions read them.
2. `Step: integration`, with `AccessRoleArn` (computed from the role's name: the role
   need not exist yet). Makes the database and the storage integration. Attributes:
   `IamUserArn` and `ExternalId` for the role's trust, `SnsUserArn` for the policy of
   the topic `landed`.
3. `Step: events`, with `Prefixes`. Has the landing bucket tell the topic of what is
   created below them. Depends on the topic's policy, which S3 tries.
4. `Step: objects`, with `Contents`, a digest of the datasets and of the code that
   makes their objects, so that a changed dataset is an update. Depends on the role, its
   policies and the topic's policy. Waits for IAM, then makes stage, tables, pipes,
   views and grants.

All hold the function's settings as well (`setting_properties`): CloudFormation sends a
resource again only if its properties have changed, whatever the function's environment
says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lambdas.core.errors import BadInput
from lambdas.core.settings import WarehouseSettings

STEP = "Step"
INTEGRATION_STEP = "integration"
OBJECTS_STEP = "objects"
CATALOGUE_STEP = "catalogue"
EVENTS_STEP = "events"
SOURCE_BUCKET = "SourceBucket"
SOURCE_KEY = "SourceKey"
ACCESS_ROLE_ARN = "AccessRoleArn"
PREFIXES = "Prefixes"
CONTENTS = "Contents"

IAM_USER_ARN = "IamUserArn"
EXTERNAL_ID = "ExternalId"
SNS_USER_ARN = "SnsUserArn"

REASON_LENGTH = 1000
"""CloudFormation takes an answer of 4,096 bytes in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was made: digests of statements by dataset, attributes by integration."""

    digests: frozenset[str] = frozenset()
    integrations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def setting_properties(settings: WarehouseSettings) -> dict[str, str]:
    """The settings as properties: `snowflake_database` is `SnowflakeDatabase`."""
    return {
        name.title().replace("_", ""): value
        for name, value in settings.to_environment().items()
    }


class _Properties(BaseModel):
    # CloudFormation adds ServiceToken, and stringifies every value
    model_config = ConfigDict(frozen=True, extra="ignore")


class CatalogueProperties(_Properties):
    """What the first resource is given."""

    step: Literal["catalogue"] = Field(alias="Step")
    source_bucket: str = Field(alias="SourceBucket")
    source_key: str = Field(alias="SourceKey")
    key: str = Field(alias="CatalogueKey")


class IntegrationProperties(_Properties):
    """What the second one is given."""

    step: Literal["integration"] = Field(alias="Step")
    access_role_arn: str = Field(alias="AccessRoleArn")


class EventsProperties(_Properties):
    """What the third one is given. `prefixes`: with commas between them."""

    step: Literal["events"] = Field(alias="Step")
    prefixes: str = Field(alias="Prefixes")
    topic_arn: str = Field(alias="LandedTopicArn")


class ObjectsProperties(_Properties):
    """What the fourth one is given."""

    step: Literal["objects"] = Field(alias="Step")
    contents: str = Field(default="", alias="Contents")


class Request(BaseModel):
    """What CloudFormation sends (AWS: "Custom resource request objects")."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["Create", "Update", "Delete"] = Field(alias="RequestType")
    response_url: str = Field(alias="ResponseURL")
    stack_id: str = Field(alias="StackId")
    request_id: str = Field(alias="RequestId")
    logical_resource_id: str = Field(alias="LogicalResourceId")
    physical_resource_id: str | None = Field(default=None, alias="PhysicalResourceId")
    properties: Annotated[
        CatalogueProperties
        | IntegrationProperties
        | EventsProperties
        | ObjectsProperties,
        Field(discriminator="step"),
    ] = Field(alias="ResourceProperties")

    @property
    def resource_id(self) -> str:
        """Constant: a new id would make CloudFormation delete what the old one was."""
        return self.physical_resource_id or f"catflap-{self.properties.step}"


def request_from_event(event: object) -> Request:
    """Read the event; BadInput names every field that is missing or wrong."""
    try:
        return Request.model_validate(event)
    except ValidationError as error:
        faults = ", ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        )
        raise BadInput(f"not a request of the custom resource: {faults}") from None
