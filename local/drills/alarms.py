"""CloudWatch's part: no stand-in evaluates alarms, so this does, for the heartbeat.

The alarm is the template's own, read back from the embedded AWS; its datapoints are
what the freshness function wrote to its log in embedded metric format.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PRINCIPAL = "cloudwatch.amazonaws.com"


class Heartbeat:
    """The alarm of a metric that must not be missing."""

    def __init__(self, *, cloudwatch: Any, sns: Any, metric: str, log: Path) -> None:  # noqa: ANN401 - boto3 clients
        """Reads the one alarm on `metric`; `log` is where its datapoints appear."""
        found = [
            alarm
            for alarm in cloudwatch.describe_alarms()["MetricAlarms"]
            if alarm["MetricName"] == metric
        ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} alarms watch {metric}; one was expected")
        self._alarm: dict[str, Any] = found[0]
        self._sns = sns
        self._log = log
        self._read_to = 0
        self._newest: datetime | None = None
        self.is_alarming = False

    def evaluate(self, now: datetime) -> None:
        """Publish if the state changed. Missing data counts as breaching."""
        self._read()
        window = timedelta(
            seconds=self._alarm["Period"] * self._alarm["EvaluationPeriods"]
        )
        is_missing = self._newest is not None and now - self._newest > window
        if is_missing == self.is_alarming:
            return
        self.is_alarming = is_missing
        state = "ALARM" if is_missing else "OK"
        name = self._alarm["AlarmName"]
        for topic in self._alarm["AlarmActions" if is_missing else "OKActions"]:
            self._sns.publish(
                TopicArn=topic,
                Subject=f'{state}: "{name}"'[:100],
                Message=json.dumps(
                    {
                        "AlarmName": name,
                        "AlarmDescription": self._alarm.get("AlarmDescription", ""),
                        "NewStateValue": state,
                    }
                ),
            )

    def _read(self) -> None:
        if not self._log.exists():
            return
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._read_to)
            for line in log:
                stamp = _stamp(line, self._alarm["MetricName"])
                if stamp is not None:
                    self._newest = max(self._newest or stamp, stamp)
            self._read_to = log.tell()


def _stamp(line: str, metric: str) -> datetime | None:
    """The time of a datapoint of `metric`, if the line holds one."""
    if metric not in line or '"_aws"' not in line:
        return None
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, tz=UTC)
