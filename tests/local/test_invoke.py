from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.aws.cloud import Cloud
from local.aws.deploy import Deployment, deploy
from local.aws.invoke import DeployedFunction, FunctionError, FunctionHost
from tests.local.conftest import Assembly, function, role


@pytest.fixture
def deployment(
    cloud: Cloud, host: FunctionHost, assembly: Assembly, unique: str
) -> Deployment:
    variables = {"Variables": {"STATE_TABLE": "state"}}
    assembly.stacks = {
        unique: {
            "Resources": {
                "Role": role(),
                "Environment": function("environment", Environment=variables),
                "Clock": function("clock", MemorySize=512),
                "Crash": function("crash"),
                "Stranger": function("clock", "Elsewhere"),
                "Elsewhere": role(service="ec2"),
            }
        }
    }
    return deploy(cloud, assembly.write(), host=host)


def test_a_function_sees_its_template_its_role_and_nothing_else(
    deployment: Deployment,
    host: FunctionHost,
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    monkeypatch.setenv("CATFLAP_SECRET_CATS_TOKEN", "sesame")
    known = deployment.functions["Environment"]
    seen = host.invoke(known, {})
    assert set(seen) - {"LC_CTYPE"} == {
        "STATE_TABLE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_ENDPOINT_URL",
        "AWS_EC2_METADATA_DISABLED",
        "PATH",
        "HOME",
        "TZ",
        "LANG",
        "COUNT_FILE",
    }
    assert seen["AWS_ENDPOINT_URL"] == cloud.endpoint_url
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == known.name
    assert "descriptor 1" in host.log_file(known).read_text()


def test_the_clock_of_a_function_is_the_callers_and_ticks(
    deployment: Deployment, host: FunctionHost
) -> None:
    known = deployment.functions["Clock"]
    for start in (
        datetime(2013, 1, 1, 5, tzinfo=UTC),
        datetime(2013, 3, 1, 5, tzinfo=UTC),
    ):
        seen = host.invoke(known, {}, now=start)
        passed = datetime.fromisoformat(seen["now"]) - start
        assert timedelta(0) <= passed < timedelta(hours=1)
        assert 0 < seen["left"] <= 20_000
        assert (known.arn, "512") == (seen["arn"], seen["memory"])


def test_a_function_stays_warm(deployment: Deployment, host: FunctionHost) -> None:
    known = deployment.functions["Clock"]
    first, second = host.invoke(known, {}), host.invoke(known, {})
    assert first["pid"] == second["pid"]
    assert first["id"] != second["id"]


def test_what_a_handler_raises_is_told_with_its_trace(
    deployment: Deployment, host: FunctionHost
) -> None:
    with pytest.raises(FunctionError, match="no such cat") as failed:
        host.invoke(deployment.functions["Crash"], {"how": "raise"})
    assert failed.value.kind == "LookupError"
    assert "handlers.py" in failed.value.trace


def test_a_killed_function_is_told_and_the_next_one_is_new(
    deployment: Deployment, host: FunctionHost
) -> None:
    known = deployment.functions["Crash"]
    first = host.invoke(known, {})
    with pytest.raises(FunctionError, match="SIGKILL") as failed:
        host.invoke(known, {"how": "kill"})
    assert failed.value.kind == "Runtime.ExitError"
    assert host.invoke(known, {}) != first


def test_a_process_that_died_at_rest_is_given_nothing_to_do(
    deployment: Deployment, host: FunctionHost
) -> None:
    """At rest it is frozen on Lambda: if its machine goes, another one is invoked."""
    crash = deployment.functions["Crash"]
    pid = host.invoke(crash, {})
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert host.invoke(crash, {}) != pid
    assert pid not in host.pids(crash)


def test_a_function_that_takes_too_long_is_killed(
    deployment: Deployment, host: FunctionHost
) -> None:
    slow = replace(deployment.functions["Crash"], timeout_s=1)
    with pytest.raises(FunctionError, match="timed out after 1") as failed:
        host.invoke(slow, {"how": "sleep"})
    assert failed.value.kind == "Sandbox.Timedout"
    assert host.pids(slow) == []


SLOW = """
import time
time.sleep(0.2)
IMPORTED_S = time.monotonic()
def handle(event, context):
    since_ms = (time.monotonic() - IMPORTED_S) * 1000
    return context.get_remaining_time_in_millis() + since_ms
"""


def test_what_an_import_takes_is_not_taken_from_the_functions_time(
    deployment: Deployment, host: FunctionHost, tmp_path: Path
) -> None:
    (tmp_path / "bundle/slow.py").write_text(SLOW)
    slow = replace(deployment.functions["Clock"], name="slow", handler="slow.handle")
    assert host.invoke(slow, {}) >= 1000 * slow.timeout_s - 2  # whole milliseconds


def test_a_function_deployed_anew_gets_a_new_process(
    deployment: Deployment, host: FunctionHost
) -> None:
    known = deployment.functions["Environment"]
    host.invoke(known, {})
    changed: DeployedFunction = replace(known, environment={"STATE_TABLE": "other"})
    assert host.invoke(changed, {})["STATE_TABLE"] == "other"
    assert len(host.pids(changed)) == 1


def test_a_role_that_does_not_trust_lambda_runs_nothing(
    deployment: Deployment, host: FunctionHost
) -> None:
    with pytest.raises(Exception, match="sts:AssumeRole"):
        host.invoke(deployment.functions["Stranger"], {})


def test_nothing_is_left_running(deployment: Deployment, host: FunctionHost) -> None:
    known = deployment.functions["Clock"]
    host.invoke(known, {})
    (pid,) = host.pids(known)
    host.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
