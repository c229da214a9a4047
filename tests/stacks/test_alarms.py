"""Who watches the functions, and where they stand in a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import app
from lambdas.core.reports.estimate import ALARMS
from project.environment import Network
from tests.stacks.conftest import UNBUNDLED, Templates, read_templates


def test_errors_throttles_and_long_runs_of_each_function_reach_engineers(
    templates: Templates,
) -> None:
    watched: dict[tuple[str, str], set[str]] = {}
    for part, _, alarm in templates.resources("AWS::CloudWatch::Alarm"):
        properties = alarm["Properties"]
        assert properties["AlarmActions"], properties["AlarmDescription"]
        assert len(properties["AlarmDescription"]) > 40
        for one in properties.get("Dimensions", []):
            if one["Name"] == "FunctionName":
                function = (part, one["Value"]["Ref"])
                watched.setdefault(function, set()).add(properties["MetricName"])
    functions = {
        (part, name) for part, name, _ in templates.resources("AWS::Lambda::Function")
    }
    assert watched.keys() == functions
    for metrics in watched.values():
        assert metrics >= {"Errors", "Throttles", "Duration"}


def test_a_long_run_is_told_before_it_is_killed(templates: Templates) -> None:
    for part, name, function in templates.resources("AWS::Lambda::Function"):
        (threshold_ms,) = (
            alarm["Properties"]["Threshold"]
            for at, _, alarm in templates.resources("AWS::CloudWatch::Alarm")
            if at == part
            and alarm["Properties"]["MetricName"] == "Duration"
            and alarm["Properties"]["Dimensions"][0]["Value"] == {"Ref": name}
        )
        assert threshold_ms == function["Properties"]["Timeout"] * 900


def test_there_is_one_dashboard_of_what_the_functions_do(templates: Templates) -> None:
    (board,) = templates.resources("AWS::CloudWatch::Dashboard")
    assert board[2]["Properties"]["DashboardName"] == "catflap-dev"
    text = json.dumps(board[2]["Properties"]["DashboardBody"])
    for metric in ("Errors", "Throttles", "Duration", "ApproximateAgeOfOldestMessage"):
        assert metric in text
    assert "(catflap AND dev)" in text


def test_with_a_network_every_function_is_in_it(project: Path) -> None:
    file = project / "environments" / "dev.yaml"
    network = {
        "vpc": "vpc-0123456789abcdef0",
        "subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "security_groups": ["sg-0123456789abcdef0"],
    }
    file.write_text(
        yaml.safe_dump({**yaml.safe_load(file.read_text()), "network": network})
    )
    app.build(root=project, outdir=project / "out", context=UNBUNDLED).synth()
    templates = read_templates(project / "out")
    for _, _, function in templates.resources("AWS::Lambda::Function"):
        assert function["Properties"]["VpcConfig"] == {
            "SubnetIds": network["subnets"],
            "SecurityGroupIds": network["security_groups"],
        }
    for _, _, policy in templates.resources("AWS::IAM::Policy"):
        by_sid = {
            one.get("Sid"): one
            for one in policy["Properties"]["PolicyDocument"]["Statement"]
        }
        if "JoinNetwork" in by_sid:
            assert by_sid["NotByItsCode"]["Effect"] == "Deny"
            assert by_sid["NotByItsCode"]["Action"] == by_sid["JoinNetwork"]["Action"]


@pytest.mark.parametrize("missing", ["vpc", "subnets", "security_groups"])
def test_half_a_network_is_refused(missing: str) -> None:
    whole = {
        "vpc": "vpc-0123456789abcdef0",
        "subnets": ("subnet-0123456789abcdef0",),
        "security_groups": ("sg-0123456789abcdef0",),
    }
    Network.model_validate(whole)
    with pytest.raises(ValueError, match="given together, or none of them"):
        Network.model_validate({k: v for k, v in whole.items() if k != missing})


def test_an_estimate_counts_as_many_alarms_as_are_deployed(
    templates: Templates,
) -> None:
    assert len(list(templates.resources("AWS::CloudWatch::Alarm"))) == ALARMS
