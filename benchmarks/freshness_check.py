"""One check of the real freshness function, timed from the inside.

``python -m benchmarks.freshness_check OUT NOW [once]`` runs two checks of everything
the environment names (the settings and the catalogue of the function): the first as a
cold process makes it, the second as a warm one does, over a state that is empty again.
What both took and found goes to the file OUT as JSON.

Stand-ins answer for AWS and Snowflake here, so their time is kept apart: whatever lies
between a request that was sent and its answer was not spent by catflap.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

STARTED = time.monotonic()
PLENTY = timedelta(minutes=15)


@dataclass
class WaitTime:
    """When this process waited for an answer; waits of threads may overlap."""

    spans: list[tuple[float, float]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self) -> None:
        """Put itself into the one HTTP client that botocore and the connector share."""
        get_response = http.client.HTTPConnection.getresponse

        def timed(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
            began = time.monotonic()
            try:
                return get_response(connection)
            finally:
                with self._lock:
                    self.spans.append((began, time.monotonic()))

        http.client.HTTPConnection.getresponse = timed  # type: ignore[assignment, method-assign]  # on purpose

    def seconds(self, since: float) -> float:
        """Seconds since `since` in which at least one thread waited."""
        total, reached = 0.0, since
        for began, ended in sorted(self.spans):
            total += max(0.0, ended - max(began, reached))
            reached = max(reached, ended)
        return total


def main() -> None:
    """Check twice, and write down what it took."""
    waiting = WaitTime()
    waiting.watch()
    out = Path(sys.argv[1])
    now = datetime.fromisoformat(sys.argv[2])

    from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse  # noqa: PLC0415 - timed
    from lambdas.freshness.wiring import check  # noqa: PLC0415 - timed

    asked: list[str] = []
    query = SnowflakeWarehouse.query

    def noted(
        warehouse: SnowflakeWarehouse,
        statement: str,
        *rest: Any,  # noqa: ANN401 - whatever a query takes
        **named: Any,  # noqa: ANN401 - as above
    ) -> list[tuple[object, ...]]:
        asked.append(statement)
        return query(warehouse, statement, *rest, **named)

    SnowflakeWarehouse.query = noted  # type: ignore[assignment, method-assign]  # on purpose

    def once(since: float) -> dict[str, Any]:
        cpu = time.process_time()
        asked.clear()
        result = check(lambda: PLENTY).run(now=now)
        seconds = time.monotonic() - since
        return {
            "seconds": seconds,
            "waited": waiting.seconds(since),
            "cpu": time.process_time() - (cpu if since > STARTED else 0.0),
            "statements": sum(not _is_of_a_suspect(text) for text in asked),
            "explaining": sum(map(_is_of_a_suspect, asked)),
            "datasets": result.datasets,
            "due": result.due,
            "suspects": result.suspects,
            "unknown": result.unknown,
        }

    document: dict[str, Any] = {"cold": once(STARTED)}
    document["megabytes"] = _peak_mb()
    document["states"] = states()
    if "once" not in sys.argv:
        forget()
        document["warm"] = once(time.monotonic())
    out.write_text(json.dumps(document))


def _peak_mb() -> float:
    """The most that this process has had in memory, without its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _is_of_a_suspect(statement: str) -> bool:
    """Whether it looks for where the rows of one late dataset stopped."""
    return any(word in statement for word in ("COPY_HISTORY", "PIPE"))


def states() -> dict[str, str]:
    """What the check found, by dataset."""
    return {name: watch.state for name, watch in _table().watches().items()}


def forget() -> None:
    """Empty the state table, so that everything is due again."""
    from lambdas.adapters.clients import client  # noqa: PLC0415 - timed elsewhere
    from lambdas.adapters.environment import settings  # noqa: PLC0415 - as above
    from lambdas.core.settings import FreshnessSettings  # noqa: PLC0415 - as above

    dynamodb: Any = client("dynamodb")
    name = settings(FreshnessSettings).state_table
    known = dynamodb.describe_table(TableName=name)["Table"]
    dynamodb.delete_table(TableName=name)
    make_table(dynamodb, name, known["KeySchema"], known["AttributeDefinitions"])


def make_table(
    dynamodb: Any,  # noqa: ANN401 - a boto3 client
    name: str,
    keys: list[dict[str, str]] | None = None,
    attributes: list[dict[str, str]] | None = None,
) -> None:
    """A state table as the stack makes it."""
    dynamodb.create_table(
        TableName=name,
        KeySchema=keys
        or [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=attributes
        or [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def _table() -> Any:  # noqa: ANN401 - imported late, see above
    from lambdas.adapters.clients import client  # noqa: PLC0415 - timed elsewhere
    from lambdas.adapters.environment import settings  # noqa: PLC0415 - as above

    # a client of AWS: its import is timed elsewhere
    from lambdas.adapters.state.incidents import IncidentTable  # noqa: PLC0415 - above
    from lambdas.core.settings import FreshnessSettings  # noqa: PLC0415 - as above

    name = settings(FreshnessSettings).state_table
    return IncidentTable(dynamodb=client("dynamodb"), table=name)


if __name__ == "__main__":
    main()
