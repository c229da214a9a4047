"""A synth as a whole: what stops it, what it depends on, what CloudFormation says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import Stack
from aws_cdk import aws_s3 as s3

import app
from lambdas.core.errors import BadInput
from stacks.all_stacks import new_app
from stacks.constructs import nag
from stacks.schedules import SCHEDULED_TIME
from tests.stacks.conftest import UNBUNDLED, Templates, read_templates


def test_faults_of_all_files_stop_the_synth_at_once(project: Path) -> None:
    (project / "datasets" / "flights.yaml").write_text("descripton: x\n")
    (project / "datasets" / "weather.yaml").write_text("- not a mapping\n")
    dev = project / "environments" / "dev.yaml"
    dev.write_text(dev.read_text().replace('"000000000000"', '"12"'))
    with pytest.raises(BadInput) as caught:
        app.build(root=project, outdir=project / "out", context=UNBUNDLED)
    text = str(caught.value)
    for file in ("flights.yaml:", "weather.yaml:", "dev.yaml:2: account:"):
        assert file in text
    assert not list((project / "out").glob("*.template.json"))


def test_a_fault_ends_the_command_with_an_exit_code_and_no_traceback(
    project: Path,
) -> None:
    code = (
        "import app, pathlib, functools, runpy\n"
        "app.build = functools.partial(app.build, root=pathlib.Path.cwd())\n"
        "app.main()\n"
    )
    (project / "datasets" / "flights.yaml").write_text("descripton: x\n")
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(app.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "flights.yaml:1: descripton: unknown key" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_environment_nobody_wrote_is_refused_with_those_there_are(
    project: Path,
) -> None:
    with pytest.raises(BadInput, match=r"no environment `stage`.*dev, prod"):
        app.build(root=project, context={**UNBUNDLED, "env": "stage"})


def test_a_team_nobody_knows_is_refused(project: Path) -> None:
    flights = project / "datasets" / "flights.yaml"
    flights.write_text(flights.read_text().replace("data-eng,", "data-enk,"))
    with pytest.raises(BadInput, match=r"flights.*`data-enk`.*known teams: data-eng"):
        app.build(root=project, outdir=project / "out", context=UNBUNDLED)


def test_another_process_writes_the_same_bytes(
    templates: Templates, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "CDK_OUTDIR": str(tmp_path),
        "CDK_CONTEXT_JSON": json.dumps(UNBUNDLED),
        "PYTHONHASHSEED": "1",
    }
    subprocess.run(
        [sys.executable, "app.py"], cwd=app.ROOT, env=environment, check=True
    )
    names = {path.name for path in templates.folder.glob("*.template.json")}
    assert names == {path.name for path in tmp_path.glob("*.template.json")}
    for name in names:
        assert (templates.folder / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_finding_nobody_acknowledged_stops_the_synth(tmp_path: Path) -> None:
    broken = new_app(outdir=tmp_path, context={})
    nag.check(broken)
    s3.Bucket(Stack(broken, "stack"), "open-to-plain-http")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        broken.synth()


def test_cloudformation_would_take_the_templates(templates: Templates) -> None:
    done = subprocess.run(  # noqa: S603 - our own arguments
        [
            str(Path(sys.executable).with_name("cfn-lint")),
            # The CDK lets a function wait for its role's policy, and for the role too.
            "--ignore-checks", "W3005",
            "--", *map(str, sorted(templates.folder.glob("*.template.json"))),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_a_template_holds_no_secret_and_no_path_of_this_machine(
    templates: Templates,
) -> None:
    for part, template in templates.by_part.items():
        text = json.dumps(template)
        assert "secret:" not in text.replace(":secret:", ""), part
        assert str(app.ROOT) not in text, part
        assert str(templates.folder) not in text, part


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    folder = tmp_path_factory.mktemp("prod")
    app.build(outdir=folder, context={**UNBUNDLED, "env": "prod"}).synth()
    return read_templates(folder)


def test_prod_differs_from_dev_only_in_what_its_file_says(
    templates: Templates, prod: Templates
) -> None:
    """Names and accounts aside: same resources, and these properties differ."""
    different = set()
    for part in set(templates.by_part) - {"schedules-0", "schedules-1"}:
        text = (
            json.dumps(prod[part]["Resources"])
            .replace("111111111111", "000000000000")
            .replace("catflap-prod", "catflap-dev")
            .replace("CATFLAP_PROD", "CATFLAP_DEV")
            .replace("example-prod", "example-dev")
            .replace('"Value": "prod"', '"Value": "dev"')
        )
        resources = json.loads(text)
        for name, resource in templates[part]["Resources"].items():
            theirs = resources.pop(name)
            different |= {
                (resource["Type"], key)
                for key in {*resource, *theirs} - {"Properties"}
                if resource.get(key) != theirs.get(key)
            }
            mine, others = resource["Properties"], theirs["Properties"]
            different |= {
                (resource["Type"], key)
                for key in {*mine, *others}
                if mine.get(key) != others.get(key)
            }
        assert {resource["Type"] for resource in resources.values()} <= {
            "AWS::SNS::Subscription",
            # a team's digest
            "AWS::Scheduler::Schedule",
        }
    kept = {"AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::S3::Bucket"}
    assert different == {
        *((kind, "DeletionPolicy") for kind in kept),
        *((kind, "UpdateReplacePolicy") for kind in kept),
        ("AWS::Lambda::EventSourceMapping", "ScalingConfig"),
        ("AWS::Logs::LogGroup", "RetentionInDays"),
        # how often is checked
        ("AWS::CloudWatch::Alarm", "AlarmDescription"),
        ("AWS::CloudWatch::Alarm", "Period"),
        ("AWS::CloudWatch::Alarm", "Threshold"),
        ("AWS::CloudWatch::Dashboard", "DashboardBody"),
        ("AWS::Lambda::Function", "Environment"),
        ("AWS::Lambda::Function", "Timeout"),
        ("AWS::Scheduler::Schedule", "ScheduleExpression"),
        ("AWS::Scheduler::Schedule", "Target"),
    }


def test_a_teams_reports_are_made_at_their_time_on_its_clock(prod: Templates) -> None:
    found = {
        resource["Properties"]["ScheduleExpression"]: resource["Properties"]
        for part, _, resource in prod.resources("AWS::Scheduler::Schedule")
        if part == "reports"
    }
    assert set(found) == {
        "rate(15 minutes)",
        "cron(30 7 * * ? *)",
        "cron(30 7 1 * ? *)",
        "cron(0 9 ? * MON *)",
    }
    for expression, report in (
        ("cron(30 7 * * ? *)", "digest"),
        ("cron(30 7 1 * ? *)", "causes"),
    ):
        schedule = found[expression]
        assert schedule["ScheduleExpressionTimezone"] == "America/New_York"
        assert json.loads(schedule["Target"]["Input"]) == {
            "report": report,
            "team": "data-eng",
            "due_at": SCHEDULED_TIME,
        }
    weekly = found["cron(0 9 ? * MON *)"]
    assert json.loads(weekly["Target"]["Input"])["report"] == "week"


def test_prods_data_outlives_its_stack(prod: Templates) -> None:
    for kind in ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key"):
        assert prod.one("landing", kind)["DeletionPolicy"] == "RetainExceptOnCreate"
