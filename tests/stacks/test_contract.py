"""What one part of a template, or the code, says of another."""

from __future__ import annotations

import importlib
import json
import re
from collections import Counter
from typing import Any

import pytest

import app
from cli.deployed.environment import settings_of
from lambdas.core.landing.names import RAW, RUNS, raw_key, raw_prefix, run_key
from lambdas.core.names import (
    EVENT_SOURCE,
    backfills_queue_name,
    landing_bucket_name,
    pulls_queue_name,
)
from lambdas.core.pull.column_events import COLUMNS_OBSERVED
from lambdas.core.settings import (
    FreshnessSettings,
    FunctionSettings,
    PeopleSettings,
    PullSettings,
    RepairSettings,
    ReportSettings,
    SlackSettings,
    WarehouseSettings,
)
from lambdas.core.sql import loading
from project.environment import MAX_NAME
from project.environment_file import read_environment
from stacks.freshness import HEARTBEAT_METRIC, HEARTBEAT_NAMESPACE
from stacks.landing import NOTIFIED_PREFIXES
from stacks.schedules import SCHEDULED_TIME
from tests.stacks.catalogues import catalogue_of
from tests.stacks.conftest import Templates

SETTINGS_OF: dict[str, type[FunctionSettings]] = {
    "lambdas.pull.handler.handle": PullSettings,
    "lambdas.slack.handler.handle": SlackSettings,
    "lambdas.people.handler.handle": PeopleSettings,
    "lambdas.freshness.handler.handle": FreshnessSettings,
    "lambdas.repair.handler.handle": RepairSettings,
    "lambdas.reports.handler.handle": ReportSettings,
    "lambdas.warehouse.handler.handle": WarehouseSettings,
}
DATASETS = {path.stem for path in (app.ROOT / "datasets").glob("*.yaml")}
UNNAMED = {
    # a reference in a template
    "state_table",
    "landing_bucket",
    "event_bus",
    "engineers_topic_arn",
    "stakeholders_topic_arn",
    # of the version that is deployed
    "catalogue_key",
    # where whoever asks stands
    "aws_endpoint_url",
    # what the settings say themselves
    "load_grace_s",
    "skew_s",
}


def functions(templates: Templates) -> dict[str, dict[str, Any]]:
    return {
        resource["Properties"]["Handler"]: resource["Properties"]
        for _, _, resource in templates.resources("AWS::Lambda::Function")
    }


def test_every_function_is_one_of_ours_and_none_is_made_by_the_cdk(
    templates: Templates,
) -> None:
    assert set(SETTINGS_OF) == set(functions(templates))


@pytest.mark.parametrize("handler", SETTINGS_OF)
def test_handler_of_a_template_can_be_imported(handler: str) -> None:
    module, name = handler.rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), name))


def test_environment_of_a_function_is_its_settings_and_nothing_else(
    templates: Templates,
) -> None:
    for handler, properties in functions(templates).items():
        settings = SETTINGS_OF[handler]
        fields = {name.upper() for name in settings.model_fields}
        required = {
            name.upper()
            for name, field in settings.model_fields.items()
            if field.is_required()
        }
        written = set(properties["Environment"]["Variables"])
        assert required <= written <= fields, handler


def test_settings_can_be_read_back_from_what_a_template_says(
    templates: Templates,
) -> None:
    for handler, properties in functions(templates).items():
        variables = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in properties["Environment"]["Variables"].items()
        }
        SETTINGS_OF[handler].from_environment(variables)


def test_every_function_runs_where_its_packages_were_built_for(
    templates: Templates,
) -> None:
    for properties in functions(templates).values():
        assert (properties["Runtime"], properties["Architectures"]) == (
            "python3.13",
            ["arm64"],
        )
        assert properties["TracingConfig"] == {"Mode": "Active"}
        assert "LogGroup" in properties["LoggingConfig"]


def test_each_dataset_has_exactly_one_schedule(templates: Templates) -> None:
    names = [
        resource["Properties"]["Name"]
        for part, _, resource in templates.resources("AWS::Scheduler::Schedule")
        if part.startswith("schedules-")
    ]
    assert sorted(names) == sorted(f"catflap-dev-{name}" for name in DATASETS)


def test_a_tick_names_its_dataset_in_its_body_and_in_its_group(
    templates: Templates,
) -> None:
    for part, _, resource in templates.resources("AWS::Scheduler::Schedule"):
        if not part.startswith("schedules-"):
            continue
        target = resource["Properties"]["Target"]
        body = json.loads(target["Input"])
        assert body == {
            "dataset": target["SqsParameters"]["MessageGroupId"],
            "reason": "schedule",
            "due_at": SCHEDULED_TIME,
        }
        assert body["dataset"] in DATASETS
        assert resource["Properties"]["FlexibleTimeWindow"] == {"Mode": "OFF"}


def test_nothing_but_its_schedule_is_a_datasets_own(templates: Templates) -> None:
    for part, template in templates.by_part.items():
        for logical_id, resource in template["Resources"].items():
            if part.startswith("schedules-"):
                continue
            text = json.dumps(resource).lower()
            assert not any(name in text for name in DATASETS), (part, logical_id)


def test_a_fixed_queue_takes_ticks_without_a_deduplication_id(
    templates: Templates,
) -> None:
    queues = [
        resource["Properties"]
        for _, _, resource in templates.resources("AWS::SQS::Queue")
        if {"RedrivePolicy", "QueueName"} <= set(resource["Properties"])
    ]
    function = functions(templates)["lambdas.pull.handler.handle"]
    assert len(queues) == 2
    for queue in queues:
        assert queue["FifoQueue"] is True
        assert queue["ContentBasedDeduplication"] is True
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_pull_takes_one_message_at_a_time_and_reports_it_by_itself(
    templates: Templates,
) -> None:
    sources = {
        source["Properties"]["EventSourceArn"]["Fn::GetAtt"][0][:-8]: source[
            "Properties"
        ]
        for _, _, source in templates.resources("AWS::Lambda::EventSourceMapping")
    }
    for source in sources.values():
        assert source["BatchSize"] == 1
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # Backfills have a bound of their own: live pulls do not wait for them.
    assert {name: one["ScalingConfig"] for name, one in sources.items()} == {
        "Pulls": {"MaximumConcurrency": 5},
        "Backfills": {"MaximumConcurrency": 4},
        "Requests": {"MaximumConcurrency": 2},
    }


def test_the_command_line_finds_the_queues(templates: Templates) -> None:
    named = [
        resource["Properties"]["QueueName"]
        for _, _, resource in templates.resources("AWS::SQS::Queue")
        if "QueueName" in resource["Properties"]
    ]
    assert set(named) == {pulls_queue_name("dev"), backfills_queue_name("dev")}


def test_the_command_line_finds_what_the_stacks_name(templates: Templates) -> None:
    dev = read_environment(app.ROOT / "environments", "dev")
    known = settings_of(dev, {})
    table = templates.one("landing", "AWS::DynamoDB::Table")["Properties"]
    bucket = templates.one("landing", "AWS::S3::Bucket")["Properties"]
    bus = templates.one("landing", "AWS::Events::EventBus")["Properties"]
    assert (table["TableName"], bucket["BucketName"], bus["Name"]) == (
        known.state_table,
        known.landing_bucket,
        known.event_bus,
    )
    written = functions(templates)["lambdas.freshness.handler.handle"]
    variables = written["Environment"]["Variables"]
    same = {name.upper() for name in type(known).model_fields if name not in UNNAMED}
    assert {name: variables.get(name) for name in same} == {
        name: value for name, value in known.to_environment().items() if name in same
    } | dict.fromkeys(same - known.to_environment().keys())


def test_a_landing_buckets_name_is_never_too_long() -> None:
    name = landing_bucket_name(
        "e" * MAX_NAME, account="0" * 12, region="ap-southeast-12"
    )
    assert len(name) <= 63


def test_only_the_function_that_feeds_itself_may_loop(templates: Templates) -> None:
    assert {
        handler: properties.get("RecursiveLoop")
        for handler, properties in functions(templates).items()
    } == {
        "lambdas.pull.handler.handle": "Allow",
        "lambdas.freshness.handler.handle": None,
        "lambdas.repair.handler.handle": None,
        "lambdas.reports.handler.handle": None,
        "lambdas.warehouse.handler.handle": None,
        "lambdas.slack.handler.handle": None,
        "lambdas.people.handler.handle": None,
    }


def test_bucket_tells_of_what_the_pipes_load_and_of_nothing_else(
    templates: Templates,
) -> None:
    events = templates.one("warehouse", "Custom::CatflapEvents")["Properties"]
    prefixes = tuple(events["Prefixes"].split(","))
    assert prefixes == NOTIFIED_PREFIXES == (RAW, RUNS)
    bucket = templates.one("landing", "AWS::S3::Bucket")["Properties"]
    assert "NotificationConfiguration" not in bucket
    run_id = "20130101T050000.000Z-0123456789ab"
    assert raw_key("flights", 1, run_id, 1).startswith(prefixes)
    assert run_key("flights", run_id).startswith(prefixes)


def test_pipes_load_from_prefixes_that_the_bucket_tells_of() -> None:
    landing = loading.LandingLocation(
        database="CATFLAP_DEV",
        bucket="landing",
        integration="CATFLAP_DEV_LANDING",
        topic_arn="arn:aws:sns:us-east-1:000000000000:landed",
    )
    cats = catalogue_of(["cats"])["cats"]
    of_cats = loading.create_pipe(landing, cats)
    of_runs = loading.create_runs_pipe(landing)
    paths = [
        path
        for statement in (of_cats, of_runs)
        for path in re.findall(r"FROM @[A-Z_.]+/(\S+?)\)", statement)
    ]
    assert paths == [raw_prefix("cats", loading.generation(cats)), RUNS]
    assert all(path.startswith(NOTIFIED_PREFIXES) for path in paths)


def test_bucket_tells_the_topic_after_its_policy_admits_s3(
    templates: Templates,
) -> None:
    (policy,) = (
        logical_id
        for part, logical_id, _ in templates.resources("AWS::SNS::TopicPolicy")
        if part == "warehouse"
    )
    events = templates.one("warehouse", "Custom::CatflapEvents")
    assert policy in events["DependsOn"]
    objects = templates.one("warehouse", "Custom::CatflapObjects")
    assert any("Events" in name for name in objects["DependsOn"])


def test_a_topic_has_one_policy(templates: Templates) -> None:
    """Whoever sets another takes this one away, as does whoever deletes either."""
    topics = Counter(
        json.dumps(topic)
        for _, _, policy in templates.resources("AWS::SNS::TopicPolicy")
        for topic in policy["Properties"]["Topics"]
    )
    assert set(topics.values()) == {1}
    landed = templates.one("warehouse", "AWS::SNS::TopicPolicy")
    assert [
        statement["Sid"]
        for statement in landed["Properties"]["PolicyDocument"]["Statement"]
    ] == ["BucketPublishes", "OnlyOverTls", "SnowpipeSubscribes"]
    # deleted, it would set the topic back to a policy that admits no S3
    assert landed["DeletionPolicy"] == landed["UpdateReplacePolicy"] == "Retain"


def test_heartbeat_alarm_tells_engineers_without_a_function(
    templates: Templates,
) -> None:
    (alarm,) = (
        resource["Properties"]
        for _, _, resource in templates.resources("AWS::CloudWatch::Alarm")
        if resource["Properties"]["MetricName"] == HEARTBEAT_METRIC
    )
    assert alarm["Namespace"] == HEARTBEAT_NAMESPACE
    assert alarm["TreatMissingData"] == "breaching"
    assert "Engineers" in json.dumps(alarm["AlarmActions"])


def test_every_queue_of_dead_letters_has_an_alarm(templates: Templates) -> None:
    sources = {
        logical_id
        for _, logical_id, resource in templates.resources("AWS::SQS::Queue")
        if "RedrivePolicy" not in resource["Properties"]
    }
    watched = {
        dimension["Value"]["Fn::GetAtt"][0]
        for _, _, resource in templates.resources("AWS::CloudWatch::Alarm")
        for dimension in resource["Properties"].get("Dimensions", [])
        if dimension["Name"] == "QueueName"
        and "NumberOfMessages" in resource["Properties"]["MetricName"]
    }
    assert sources == watched


def test_columns_seen_in_the_data_wake_the_function_that_makes_relations(
    templates: Templates,
) -> None:
    rule = templates.one("warehouse", "AWS::Events::Rule")["Properties"]
    assert rule["EventPattern"] == {
        "account": ["000000000000"],
        "source": [EVENT_SOURCE],
        "detail-type": [COLUMNS_OBSERVED],
    }
    (target,) = rule["Targets"]
    made = templates.one("warehouse", "AWS::Lambda::Function")
    assert made["Properties"]["Handler"] == "lambdas.warehouse.handler.handle"
    dead = target["DeadLetterConfig"]["Arn"]
    assert dead == made["Properties"]["DeadLetterConfig"]["TargetArn"]
    permission = templates.one("warehouse", "AWS::Lambda::Permission")["Properties"]
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["FunctionName"] == target["Arn"]
    (policy,) = (
        statement
        for _, _, resource in templates.resources("AWS::SQS::QueuePolicy")
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
        if statement.get("Sid") == "UndeliverableEvents"
    )
    assert policy["Resource"] == dead
    assert policy["Condition"] == {
        "ArnEquals": {"aws:SourceArn": permission["SourceArn"]}
    }
