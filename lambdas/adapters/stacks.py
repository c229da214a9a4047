"""What CloudFormation is doing with a stack."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_ROLLS_BACK = "UPDATE_ROLLBACK_"
"""Begins the states of a stack whose update failed (AWS: "Stack status codes")."""


class Stacks:
    """Asks CloudFormation; its client is made when it is first needed."""

    def __init__(self, *, client: Callable[[], Any]) -> None:
        self._make_client = client

    @cached_property
    def _cloudformation(self) -> Any:  # noqa: ANN401 - its types are not installed
        return self._make_client()

    def rolls_back(self, stack_id: str) -> bool:
        """Whether a failed update is being undone. What cannot be asked is not."""
        try:
            answer = self._cloudformation.describe_stacks(StackName=stack_id)
        except (ClientError, BotoCoreError):
            return False
        return any(
            stack["StackStatus"].startswith(_ROLLS_BACK) for stack in answer["Stacks"]
        )
