"""Secrets Manager as far as versions go: what PutSecretValue and GetSecretValue say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError


def refused(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "x"}}, operation)


class _ResourceExists(ClientError):
    pass


class _NotFound(ClientError):
    pass


class _Exceptions:
    ClientError = ClientError
    ResourceExistsException = _ResourceExists
    ResourceNotFoundException = _NotFound


class SecretVersions:
    """One secret. `fails` are the errors of the next writes of AWSCURRENT."""

    exceptions = _Exceptions

    def __init__(self, **members: object) -> None:
        self.texts: dict[str, str] = {"v0": json.dumps(members)}
        self.stages = {"AWSCURRENT": "v0"}
        self.fails: list[BaseException] = []
        self.may_write = True

    @property
    def current(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.texts[self.stages["AWSCURRENT"]])
        return document

    def get_secret_value(
        self,
        *,
        SecretId: str,  # noqa: N803 - AWS
        VersionId: str | None = None,  # noqa: N803 - AWS
        VersionStage: str = "AWSCURRENT",  # noqa: N803 - AWS
    ) -> dict[str, str]:
        del SecretId
        version = VersionId or self.stages.get(VersionStage, "")
        if version not in self.texts:
            raise _NotFound({"Error": {"Code": "ResourceNotFoundException"}}, "Get")
        return {"SecretString": self.texts[version], "VersionId": version}

    def put_secret_value(
        self,
        *,
        SecretId: str,  # noqa: N803 - AWS
        SecretString: str,  # noqa: N803 - AWS
        ClientRequestToken: str | None = None,  # noqa: N803 - AWS
        VersionStages: Sequence[str] = ("AWSCURRENT",),  # noqa: N803 - AWS
    ) -> None:
        del SecretId
        if not self.may_write:
            raise refused("AccessDeniedException", "PutSecretValue")
        version = ClientRequestToken or uuid4().hex
        if self.texts.get(version, SecretString) != SecretString:
            raise _ResourceExists({"Error": {"Code": "ResourceExistsException"}}, "Put")
        if "AWSCURRENT" in VersionStages:
            if self.fails:
                raise self.fails.pop(0)
            self.stages["AWSPREVIOUS"] = self.stages["AWSCURRENT"]
        self.texts[version] = SecretString
        self.stages.update(dict.fromkeys(VersionStages, version))
