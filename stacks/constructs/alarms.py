"""Alarms on the functions themselves, and the one dashboard that a person opens.

They publish to the engineers' topic without a function of ours. Late data are told by
the freshness function, and its heartbeat has an alarm of its own. Each alarm stands in
the stack of what it watches: between stacks nothing is exported for it.
"""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambdas.core.names import dashboard_name, pulls_queue_name
from stacks.constructs.lambda_function import CatflapFunction

PERIOD = Duration.minutes(15)
MOST_ERRORS = 3
"""In a period: a pull that was killed is tried again, and so is a check."""
MOST_OF_ITS_TIME = 0.9
OLDEST_PULL = Duration.hours(1)
_WIDTH = 12


def watch_function(watched: CatflapFunction, engineers: sns.ITopic) -> None:
    """Alarms on errors, on throttles, and on runs that near the function's time."""
    name, function = watched.slice_name, watched.function
    _alarm(
        watched,
        "Errors",
        function.metric_errors(period=PERIOD),
        threshold=MOST_ERRORS,
        meaning=f"The {name} function failed {MOST_ERRORS} times in 15 minutes. Its "
        "log says why.",
        engineers=engineers,
    )
    _alarm(
        watched,
        "Throttles",
        function.metric_throttles(period=PERIOD),
        threshold=1,
        meaning=f"Lambda refused to run the {name} function: the account's "
        "concurrency is used up. Ask for a higher quota, or lower "
        "max_concurrent_pulls in environments/.",
        engineers=engineers,
    )
    _alarm(
        watched,
        "Duration",
        function.metric_duration(period=PERIOD, statistic="Maximum"),
        threshold=watched.timeout.to_milliseconds() * MOST_OF_ITS_TIME,
        meaning=f"The {name} function took over {MOST_OF_ITS_TIME:.0%} of the "
        f"{watched.timeout.to_seconds():.0f} seconds that it has. Its log says why.",
        engineers=engineers,
    )


def watch_pulls(scope: Construct, pulls: sqs.IQueue, engineers: sns.ITopic) -> None:
    """An alarm on pulls that wait."""
    _alarm(
        scope,
        "PullsWait",
        pulls.metric_approximate_age_of_oldest_message(
            period=PERIOD, statistic="Maximum"
        ),
        threshold=OLDEST_PULL.to_seconds(),
        meaning="A pull has waited for an hour. Either more datasets are due than "
        "max_concurrent_pulls in environments/ lets through, or an API is slow: "
        "`catflap status` says which.",
        engineers=engineers,
    )


def add_dashboard(scope: Construct, environment: str) -> None:
    """Pulls that wait, and what the functions do; all found by their names."""
    queue = {"QueueName": pulls_queue_name(environment)}
    rows = [
        [
            _graph("Pulls waiting", _of_queue("NumberOfMessagesVisible", queue)),
            _graph("Oldest pull, seconds", _of_queue("AgeOfOldestMessage", queue)),
        ],
        *(
            [
                _graph(title, _of_functions(environment, metric, statistic))
                for title, metric, statistic in row
            ]
            for row in (
                (("Invocations", "Invocations", "Sum"), ("Errors", "Errors", "Sum")),
                (
                    ("Longest run, milliseconds", "Duration", "Maximum"),
                    ("Throttled", "Throttles", "Sum"),
                ),
            )
        ),
    ]
    cloudwatch.Dashboard(
        scope,
        "Dashboard",
        dashboard_name=dashboard_name(environment),
        widgets=list(rows),
    )


def _alarm(
    scope: Construct,
    name: str,
    metric: cloudwatch.IMetric,
    *,
    threshold: float,
    meaning: str,
    engineers: sns.ITopic,
) -> None:
    alarm = cloudwatch.Alarm(
        scope,
        name,
        alarm_description=meaning,
        metric=metric,
        threshold=threshold,
        evaluation_periods=1,
        comparison_operator=(
            cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        ),
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    alarm.add_alarm_action(actions.SnsAction(engineers))


def _graph(title: str, metric: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=[metric], width=_WIDTH)


def _of_queue(metric: str, queue: dict[str, str]) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/SQS",
        metric_name=f"Approximate{metric}",
        dimensions_map=queue,
        statistic="Maximum",
    )


def _of_functions(
    environment: str, metric: str, statistic: str
) -> cloudwatch.MathExpression:
    """CloudFormation names functions after their stacks; a search takes their words."""
    wanted = (
        f'{{AWS/Lambda,FunctionName}} MetricName="{metric}" (catflap AND {environment})'
    )
    return cloudwatch.MathExpression(
        expression=f"SEARCH('{wanted}', '{statistic}', 300)",
        label="",
        using_metrics={},
    )
