"""What an embedded stack holds, kept in a folder, so that the next one goes on from it:
the landing bucket, the state table, what waits in queues, Slack's messages, and
Snowflake's tables, loads and pipes.

A save is a folder of its own, beside the objects that all saves share, and counts once
the file `newest` names it: whoever is killed meanwhile leaves the save before.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lambdas.core.errors import BadInput
from local.slack.page import Post
from local.snowflake.process import QUEUE
from local.stack import EmbeddedStack

_NEWEST, _OBJECTS, _LOCK, _MOMENT = "newest", "objects", "lock", "moment.json"
_HEADERS = ("Metadata", "ContentType", "ContentEncoding")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMoment:
    """What time it was in the stack; `is_real`: the time outside."""

    now: datetime
    is_real: bool


class KeptState:
    """The state in a folder. One process at a time has it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._last: tuple[list[dict[str, Any]], ...] = ([], [], [])

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have it alone. Raises BadInput if another process has."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BadInput(
                    "an embedded stack is up in this folder already: `catflap status "
                    "--env local` asks it, Ctrl-C in its terminal ends it"
                ) from None
            yield

    def moment(self) -> KeptMoment | None:
        """When it was saved; None if nothing is kept."""
        newest = self._newest()
        if newest is None:
            return None
        said = json.loads((newest / _MOMENT).read_text())
        now = datetime.fromisoformat(said["now"])
        return KeptMoment(now=now, is_real=said["is_real"])

    def forget(self) -> None:
        """Keep nothing of it."""
        (self._root / _NEWEST).unlink(missing_ok=True)
        for path in self._root.glob("*/"):
            shutil.rmtree(path, ignore_errors=True)

    def save(
        self, stack: EmbeddedStack, moment: KeptMoment, *, table: str, is_last: bool
    ) -> None:
        """Keep what the stack holds. Only while nothing is in flight. Until the last,
        where bucket, state table and queues are as before, only the time is written.
        """
        before = self._newest()
        objects, items = self._objects(stack), _items(stack, table)
        messages = _messages(stack)
        said = {"now": moment.now.isoformat(), "is_real": moment.is_real}
        if (
            before is not None
            and not is_last
            and self._last == (objects, items, messages)
        ):
            _write(before / _MOMENT, said)
            return
        folder = self._root / str(int(before.name) + 1 if before else 1)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "snowflake").mkdir(parents=True)
        stack.snowflake.save(folder / "snowflake")
        _write(folder / "objects.json", objects)
        _write(folder / "items.json", items)
        _write(folder / "messages.json", messages)
        _write(folder / "posts.json", [asdict(one) for one in stack.slack.all])
        _write(folder / _MOMENT, said)
        _write(self._root / _NEWEST, folder.name)
        self._last = objects, items, messages
        self._remove_all_but(folder, {one["file"] for one in objects})

    def _remove_all_but(self, newest: Path, objects: set[str]) -> None:
        for path in self._root.glob("[0-9]*"):
            if path != newest:
                shutil.rmtree(path, ignore_errors=True)
        for path in (self._root / _OBJECTS).iterdir():
            if path.name not in objects:
                path.unlink()

    def restore(self, stack: EmbeddedStack, *, table: str, now: datetime) -> None:
        """Put it into a stack that has just been deployed; it is `now` afterwards."""
        folder = self._newest()
        assert folder is not None
        s3, bucket = stack.cloud.client("s3"), stack.bucket()
        deployed = {one["Key"] for one in _listed(s3, bucket)}
        for one in json.loads((folder / "objects.json").read_text()):
            if one["key"] in deployed:
                continue
            stack.cloud.set_clock(datetime.fromisoformat(one["at"]))
            body = (self._root / _OBJECTS / one["file"]).read_bytes()
            s3.put_object(Bucket=bucket, Key=one["key"], Body=body, **one["headers"])
        stack.cloud.set_clock(now)
        # What was landed long ago is no news to Snowpipe.
        sqs = stack.cloud.client("sqs")
        sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"])
        dynamodb = stack.cloud.client("dynamodb")
        for item in json.loads((folder / "items.json").read_text(), object_hook=_read):
            dynamodb.put_item(TableName=table, Item=item)
        messages = folder / "messages.json"
        if messages.exists():  # a save of before has none
            _send(sqs, json.loads(messages.read_text()))
        stack.snowflake.restore(folder / "snowflake")
        posts = json.loads((folder / "posts.json").read_text())
        stack.slack.all.extend(
            Post(**{**one, "at": datetime.fromisoformat(one["at"])}) for one in posts
        )

    def _newest(self) -> Path | None:
        try:
            return self._root / str(json.loads((self._root / _NEWEST).read_text()))
        except OSError:
            return None

    def _objects(self, stack: EmbeddedStack) -> list[dict[str, Any]]:
        """All objects, oldest first; the bytes of those that are new are written."""
        (self._root / _OBJECTS).mkdir(exist_ok=True)
        s3, bucket = stack.cloud.client("s3"), stack.bucket()
        known = {one["file"]: one for one in self._last[0]}
        found = _listed(s3, bucket)
        return [
            known.get(_file(one)) or self._object(s3, bucket, one)
            for one in sorted(found, key=lambda one: (one["LastModified"], one["Key"]))
        ]

    def _object(self, s3: Any, bucket: str, one: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - boto3's client
        name = _file(one)
        got = s3.get_object(Bucket=bucket, Key=one["Key"])
        (self._root / _OBJECTS / name).write_bytes(got["Body"].read())
        return {
            "key": one["Key"],
            "at": one["LastModified"].astimezone(UTC).isoformat(),
            "file": name,
            "headers": {key: got[key] for key in _HEADERS if got.get(key)},
        }


def _messages(stack: EmbeddedStack) -> list[dict[str, Any]]:
    """What Snowpipe has not read yet is in the bucket, and is no news."""
    return [one for one in stack.cloud.messages() if one["queue"] != QUEUE]


def _send(sqs: Any, messages: list[dict[str, Any]]) -> None:  # noqa: ANN401 - boto3's client
    """Each once more, and at once: whoever starts anew does not wait for a retry."""
    for number, one in enumerate(messages):
        fifo = {"MessageGroupId": one["group"]} if one["group"] else {}
        if fifo:
            fifo["MessageDeduplicationId"] = f"kept-{number}"
        url = sqs.get_queue_url(QueueName=one["queue"])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=one["body"], **fifo)


def _listed(s3: Any, bucket: str) -> list[dict[str, Any]]:  # noqa: ANN401 - boto3's client
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [one for page in pages for one in page.get("Contents", ())]


def _file(one: dict[str, Any]) -> str:
    known = f"{one['Key']} {one['ETag']} {one['LastModified']}"
    return hashlib.sha256(known.encode()).hexdigest()[:32]


def _items(stack: EmbeddedStack, table: str) -> list[dict[str, Any]]:
    scan = stack.cloud.client("dynamodb").get_paginator("scan")
    pages = scan.paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def _write(path: Path, value: object) -> None:
    """Whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(value, default=_plain))
    new.replace(path)


def _plain(value: object) -> object:
    """What JSON lacks: times, and bytes, which only DynamoDB has."""
    if isinstance(value, datetime):
        return value.isoformat()
    assert isinstance(value, bytes)
    return {"base64": base64.b64encode(value).decode()}


def _read(value: dict[str, Any]) -> object:
    text = value.get("base64")
    return (
        base64.b64decode(text) if isinstance(text, str) and len(value) == 1 else value
    )
