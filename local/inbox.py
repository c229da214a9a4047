"""What people would have read: SNS topics and Slack, as a reader sees them."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message of a topic."""

    audience: str
    subject: str
    body: str


class TopicReader:
    """A queue subscribed to the topics of engineers and stakeholders."""

    def __init__(self, *, sns: Any, sqs: Any, topics: dict[str, str]) -> None:  # noqa: ANN401 - boto3 clients
        """`topics` maps an audience to its topic's ARN."""
        self._sqs = sqs
        self._audience_of = {arn: audience for audience, arn in topics.items()}
        self._url = sqs.create_queue(QueueName="readers-of-the-replay")["QueueUrl"]
        queue = sqs.get_queue_attributes(
            QueueUrl=self._url, AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        for arn in topics.values():
            sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)

    def read(self) -> list[Mail]:
        """Every message since the last call, oldest first."""
        found: list[Mail] = []
        while messages := self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages", []):
            for message in messages:
                envelope = json.loads(message["Body"])
                found.append(
                    Mail(
                        audience=self._audience_of[envelope["TopicArn"]],
                        subject=envelope.get("Subject", ""),
                        body=envelope["Message"],
                    )
                )
                self._sqs.delete_message(
                    QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"]
                )
        return found


class SlackDouble:
    """A Slack webhook on loopback. `is_down` makes it answer 503."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.is_down = False
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                body = self.rfile.read(length)
                if double.is_down:
                    self.send_response(503)
                    answer = b"service_unavailable"
                else:
                    double.posts.append(json.loads(body))
                    self.send_response(200)
                    answer = b"ok"
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """The replay prints what was posted; no access log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def webhook_url(self) -> str:
        """What stands in the Slack secret."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/services/T0/B0/XYZ"

    def texts(self) -> Sequence[str]:
        """The fallback text of each post: what a phone's notification shows."""
        return [str(post.get("text", "")) for post in self.posts]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
