"""What people are shown of which incident, in the state table.

``SLACK#<place>``           / ``<incident id>``  the message of Slack's that shows it
``SLACK#<place>``           / ``GROUP#<ts>``     a message of Slack's that shows many
``SLACK#`` / ``GROUPS``                          the user groups that owners name
``ALERTS`` / ``<incident id>``                   the alert of a pager that it shares

What is of an incident expires 90 days after it was last written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lambdas.adapters.state.items import AT_ONCE, items_of
from lambdas.adapters.state.writes import TableWriter
from lambdas.core.errors import ChannelDown
from lambdas.core.slack.mentions import UserGroups
from lambdas.core.slack.post import SlackGroup, SlackPost

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT = timedelta(days=90)
ALERTS = "ALERTS"


class SlackPostTable:
    """SlackPosts on DynamoDB."""

    def __init__(
        self,
        *,
        dynamodb: DynamoDBClient,
        table: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._now = now
        self._writer = TableWriter(dynamodb=dynamodb, table=table)

    def of(self, place: str, incidents: Sequence[str]) -> Mapping[str, SlackPost]:
        """Those that are known, strongly consistent. Raises ChannelDown if some could
        not be read: a message must not be posted twice for that.
        """
        ids = list(dict.fromkeys(incidents))
        found = [
            item
            for start in range(0, len(ids), AT_ONCE)
            for item in self._read(place, ids[start : start + AT_ONCE])
        ]
        posts = [msgspec.json.decode(one["post"]["S"], type=SlackPost) for one in found]
        return {post.incident_id: post for post in posts}

    def _read(self, place: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        keys: list[Any] = [_key(place, one) for one in ids]
        answer = self._dynamodb.batch_get_item(
            RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
        )
        if answer.get("UnprocessedKeys"):
            raise ChannelDown("what was posted to Slack could not be read whole")
        return list(answer["Responses"].get(self._table, []))

    def group(self, place: str, ts: str) -> SlackGroup | None:
        """A message that shows many, if it is known. Raises ChannelDown."""
        found = self._read(place, [f"GROUP#{ts}"])
        if not found:
            return None
        return msgspec.json.decode(found[0]["group"]["S"], type=SlackGroup)

    def keep_group(self, place: str, group: SlackGroup) -> None:
        """Remember it."""
        self._dynamodb.put_item(
            TableName=self._table,
            Item={
                **_key(place, f"GROUP#{group.ts}"),
                "group": {"S": msgspec.json.encode(group).decode()},
                "expires_at": {"N": self._expires()},
            },
        )

    def _expires(self) -> str:
        return str(int((self._now() + KEPT).timestamp()))

    def keep(self, place: str, posts: Sequence[SlackPost]) -> None:
        """Remember them. Raises ChannelDown if one could not be."""
        expires = self._expires()
        unwritten = self._writer.batch(
            [
                {
                    "PutRequest": {
                        "Item": {
                            **_key(place, post.incident_id),
                            "post": {"S": msgspec.json.encode(post).decode()},
                            "expires_at": {"N": expires},
                        }
                    }
                }
                for post in posts
            ]
        )
        if unwritten:
            raise ChannelDown(
                f"what was posted to Slack could not be kept: {unwritten[0].why}"
            )


class SharedAlertTable:
    """SharedAlerts on DynamoDB."""

    def __init__(
        self,
        *,
        dynamodb: DynamoDBClient,
        table: str,
        writer: TableWriter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._now = now
        self._writer = writer

    def all(self) -> Mapping[str, str]:
        """The key of the alert, by incident; strongly consistent."""
        found = items_of(self._dynamodb, self._table, ALERTS)
        return {item["sk"]["S"]: item["alert"]["S"] for item in found}

    def keep(self, alert: str, incidents: Sequence[str]) -> None:
        """Remember that they share it. Raises ChannelDown if one could not be kept: its
        end would not be told.
        """
        expires = str(int((self._now() + KEPT).timestamp()))
        rest = {"alert": {"S": alert}, "expires_at": {"N": expires}}
        self._write(
            [{"PutRequest": {"Item": {**_alert_key(x), **rest}}} for x in incidents]
        )

    def drop(self, incidents: Sequence[str]) -> None:
        """They are over. Raises ChannelDown if one could not be dropped: the alert
        would stay.
        """
        self._write([{"DeleteRequest": {"Key": _alert_key(one)}} for one in incidents])

    def _write(self, requests: Sequence[Any]) -> None:
        if unwritten := self._writer.batch(requests):
            raise ChannelDown(
                f"which incidents share an alert could not be kept: {unwritten[0].why}"
            )


def _key(place: str, incident_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"SLACK#{place}"}, "sk": {"S": incident_id}}


_GROUPS = _key("", "GROUPS")


class UserGroupTable:
    """UserGroupMemory on DynamoDB."""

    def __init__(self, *, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def read(self) -> UserGroups | None:
        """What is remembered; None: nobody has asked yet."""
        item = self._dynamodb.get_item(TableName=self._table, Key=_GROUPS).get("Item")
        if item is None:
            return None
        return msgspec.json.decode(item["groups"]["S"], type=UserGroups)

    def keep(self, groups: UserGroups) -> None:
        """In place of what was."""
        text = msgspec.json.encode(groups).decode()
        item = {**_GROUPS, "groups": {"S": text}}
        self._dynamodb.put_item(TableName=self._table, Item=item)


def _alert_key(incident_id: str) -> dict[str, Any]:
    return {"pk": {"S": ALERTS}, "sk": {"S": incident_id}}
