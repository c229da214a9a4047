"""S3, DynamoDB, SQS and EventBridge as the adapters call them, in memory and strict.

Only the calls that catflap makes are here. Each is an effect of the world, so that it
can fail before or after it is done, be done twice, or outlast the patience of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import ClientError, ReadTimeoutError
from msgspec.json import decode as from_json

from tests.soak.world import World

T = TypeVar("T")


def client_error(code: str, **more: Any) -> ClientError:
    """An answer of AWS that is an error."""
    answer: Any = {"Error": {"Code": code, "Message": code}, **more}
    return ClientError(answer, "call")


def _refuse(code: str) -> Callable[[bool], Exception]:
    def refuse(done: bool) -> Exception:  # noqa: FBT001 - what the world calls it with
        if done:
            return ReadTimeoutError(endpoint_url="https://aws.test/")
        return client_error(code)

    return refuse


@dataclass(slots=True, kw_only=True)
class Upload:
    """A multipart upload that is neither completed nor gone."""

    key: str
    run_id: str
    created_s: float
    parts: dict[int, bytes] = field(default_factory=dict)


class S3:
    """One bucket. `on_created` hears of every object that becomes visible."""

    def __init__(
        self, world: World, *, on_created: Callable[[str, bytes], None]
    ) -> None:
        self.uploads: dict[str, Upload] = {}
        self.objects: dict[str, tuple[bytes, Mapping[str, str]]] = {}
        self._world = world
        self._on_created = on_created
        self._made = 0
        self._completed: dict[str, str] = {}
        self._names: set[str] = set()

    def expire(self, *, older_than_s: float = 0.0, only_some: bool = False) -> None:
        """What the lifecycle rule does to uploads, at once and for all."""
        for upload_id, upload in list(self.uploads.items()):
            is_old = upload.created_s <= self._world.now_s - older_than_s
            if is_old and not (only_some and self._world.rng.random() < 0.5):
                self._world.note(f"expired: {upload.key}")
                del self.uploads[upload_id]

    def create_multipart_upload(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            self._made += 1
            upload_id = f"upload-{self._made}"
            self.uploads[upload_id] = Upload(
                key=request["Key"],
                run_id=request["Metadata"]["run-id"],
                created_s=self._world.now_s,
            )
            return {"UploadId": upload_id}

        return self._do("open upload", do)

    def upload_part(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            upload = self._upload(request)
            upload.parts[request["PartNumber"]] = request["Body"]
            return {"ETag": f"e{len(request['Body'])}", "ChecksumCRC32": "c"}

        return self._do("upload part", do)

    def complete_multipart_upload(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            key = request["Key"]
            if self._completed.get(request["UploadId"]) == key:
                # S3 answers either, depending on how long ago it was
                if self._world.rng.random() < 0.5:
                    return {}
                raise client_error("NoSuchUpload")
            if key in self.objects:
                raise client_error("PreconditionFailed")
            upload = self._upload(request)
            numbers = [
                part["PartNumber"] for part in request["MultipartUpload"]["Parts"]
            ]
            if not all(
                part["ChecksumCRC32"] for part in request["MultipartUpload"]["Parts"]
            ):
                raise client_error("InvalidRequest")
            body = b"".join(upload.parts[number] for number in numbers)
            del self.uploads[request["UploadId"]]
            self._completed[request["UploadId"]] = key
            self._create(key, body, {"run-id": upload.run_id})
            return {}

        return self._do("complete upload", do)

    def abort_multipart_upload(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            self._upload(request)
            del self.uploads[request["UploadId"]]
            return {}

        return self._do("abort upload", do)

    def head_object(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            if request["Key"] not in self.objects:
                raise client_error("404")
            body, metadata = self.objects[request["Key"]]
            return {"ContentLength": len(body), "Metadata": metadata}

        return self._do("look for object", do)

    def put_object(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            key = request["Key"]
            if request.get("IfNoneMatch") == "*" and key in self.objects:
                raise client_error("PreconditionFailed")
            self._create(key, request["Body"], {})
            return {}

        return self._do(f"put {request['Key'].partition('/')[0]}", do)

    def get_object(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            if request["Key"] not in self.objects:
                raise client_error("NoSuchKey")
            return {"Body": _Body(self.objects[request["Key"]][0])}

        return self._do("get object", do)

    def delete_object(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            self.objects.pop(request["Key"], None)
            return {}

        return self._do("delete object", do)

    def _upload(self, request: Mapping[str, Any]) -> Upload:
        upload = self.uploads.get(request["UploadId"])
        if upload is None or upload.key != request["Key"]:
            raise client_error("NoSuchUpload")
        return upload

    def _create(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        if key in self._names and not key.startswith(("manifests/", "edges/")):
            self._world.violated(f"the name {key} was written twice")
        self._names.add(key)
        self.objects[key] = (body, metadata)
        self._on_created(key, body)

    def _do(self, name: str, do: Callable[[], T]) -> T:
        return self._world.effect(name, do, _refuse("SlowDown"))


class _Body:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self) -> bytes:
        return self._body


class DynamoDB:
    """One table, keyed by pk and sk, whose reads are stale unless they ask not to be,
    and which removes what has expired.

    `on_state` hears of the sort keys that a transaction wrote, `on_outrun` of each
    answer that refuses a run's last write because it was made before.
    """

    def __init__(
        self,
        world: World,
        *,
        on_state: Callable[[set[str]], None],
        on_outrun: Callable[[ClientError], None],
    ) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self._before: dict[tuple[str, str], dict[str, Any] | None] = {}
        self._on_outrun = on_outrun
        self.ignores_conditions = False
        """For the mutation check: a table that takes every write."""
        self._world = world
        self._on_state = on_state

    def get_item(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            key = _key(request["Key"])
            self._expire(key)
            item = self.items.get(key)
            if not request.get("ConsistentRead") and self._world.rng.random() < 0.5:
                item = self._before.get(key)
            return {} if item is None else {"Item": item}

        return self._do("get item", do)

    def put_item(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            if not self._holds(request):
                raise client_error("ConditionalCheckFailedException")
            self._put(request["Item"])
            return {}

        return self._do("put item", do)

    def get_paginator(self, operation: str) -> DynamoDB:
        if operation != "query":
            message = f"nobody pages {operation} here"
            raise NotImplementedError(message)
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        yield self.query(**request)

    def query(self, **request: Any) -> dict[str, Any]:
        (partition, *beginning) = (
            value["S"] for value in request["ExpressionAttributeValues"].values()
        )

        def do() -> dict[str, Any]:
            found = [
                (sk, item)
                for (pk, sk), item in self.items.items()
                if pk == partition and sk.startswith(tuple(beginning or ("",)))
            ]
            if request.get("ScanIndexForward") is False:
                found.sort(key=lambda one: one[0], reverse=True)
            return {"Items": [item for _, item in found][: request.get("Limit")]}

        return self._do("query", do)

    def delete_item(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            self.items.pop(_key(request["Key"]), None)
            return {}

        return self._do("delete item", do)

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            if self._world.weather.happens(0.002):
                raise _cancelled("TransactionConflict")
            writes = [next(iter(item.items())) for item in request["TransactItems"]]
            for _, write in writes:
                if not self._holds(write):
                    refused = _cancelled("ConditionalCheckFailed")
                    if self._is_outrun(writes):
                        self._on_outrun(refused)
                    raise refused
            for verb, write in writes:
                if verb == "Put":
                    self._put(write["Item"])
                else:
                    self.items.pop(_key(write["Key"]), None)
            self._on_state(
                {_key(write.get("Item") or write["Key"])[1] for _, write in writes}
            )
            return {}

        first = request["TransactItems"][1]["Put"]["Item"]["status"]["S"]
        return self._do(f"record {first}", do)

    def _put(self, item: dict[str, Any]) -> None:
        key = _key(item)
        self._before[key] = self.items.get(key)
        self.items[key] = item

    def _expire(self, key: tuple[str, str]) -> None:
        expires_at = self.items.get(key, {}).get("expires_at")
        if expires_at and int(expires_at["N"]) < self._world.now().timestamp():
            del self.items[key]

    def _is_outrun(self, writes: list[tuple[str, Any]]) -> bool:
        run = writes[1][1]["Item"]
        status = self.items.get(_key(run), {}).get("status")
        return bool(status == run["status"] != {"S": "committing"})

    def _holds(self, write: Mapping[str, Any]) -> bool:
        condition = write.get("ConditionExpression")
        if condition is None or self.ignores_conditions:
            return True
        item = self.items.get(_key(write["Item"]))
        if condition == "attribute_not_exists(pk)":
            return item is None
        if condition == "#version = :version":
            wanted = write["ExpressionAttributeValues"][":version"]
            return item is not None and item["version"] == wanted
        message = f"a condition nobody taught this stand-in: {condition}"
        raise NotImplementedError(message)

    def _do(self, name: str, do: Callable[[], T]) -> T:
        return self._world.effect(name, do, _refuse("ThrottlingException"))


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _cancelled(code: str) -> ClientError:
    return client_error(
        "TransactionCanceledException", CancellationReasons=[{"Code": code}]
    )


class EventBridge:
    """A bus that remembers."""

    def __init__(self, world: World) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []
        self._world = world

    def put_events(self, **request: Any) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            for entry in request["Entries"]:
                self.published.append((entry["DetailType"], from_json(entry["Detail"])))
            return {"FailedEntryCount": 0, "Entries": [{}]}

        return self._world.effect("publish", do, _refuse("InternalFailure"))

    @property
    def reasons(self) -> list[str]:
        """Why pulls failed."""
        return [str(detail) for kind, detail in self.published if kind == "pull.failed"]

    def heard(self, detail_type: str) -> set[str]:
        """The ids of the runs of which an event of a type told."""
        return {
            detail["run_id"] for kind, detail in self.published if kind == detail_type
        }
