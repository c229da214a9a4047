"""What holds for every test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import enumerate as enumerate_threads
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.process_state import (
    changes,
    environment_of_tests,
    found,
    logging_as_outside_lambda,
    threads_that_stay,
)

if TYPE_CHECKING:
    from tests.synthesis import Synthesized

# A property is no stop-watch: an example takes long if the machine has much to do. And
# no run fails by what it happened to draw: `make long` draws others, and more.
settings.register_profile(
    "same",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "others", settings.get_profile("same"), derandomize=False, max_examples=1_000
)
settings.load_profile("same")


def pytest_configure() -> None:
    """What stands in a person's shell decides no test."""
    variables = environment_of_tests(os.environ)
    os.environ.clear()
    os.environ.update(variables)


@pytest.fixture(scope="session")
def synthesized(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The templates of dev, as the embedded stack gets them."""
    from local.stack import ROOT  # noqa: PLC0415 - most need no CDK
    from tests.synthesis import synthesized_once  # noqa: PLC0415 - most need no CDK

    made = synthesized_once(
        tmp_path_factory, worker=worker(request), name="dev", project=lambda _: ROOT
    )
    return made.assembly


@pytest.fixture(scope="session")
def calm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Synthesized:
    """The demo's flights and weather, of which nothing is told while nothing breaks."""
    from local.scenarios.flights_alone import (  # noqa: PLC0415 - most need no CDK
        flights_alone,
    )
    from tests.synthesis import synthesized_once  # noqa: PLC0415 - most need no CDK

    return synthesized_once(
        tmp_path_factory, worker=worker(request), name="calm", project=flights_alone
    )


def worker(request: pytest.FixtureRequest) -> str | None:
    """Which of several processes of a run this is."""
    here: dict[str, str] = getattr(request.config, "workerinput", {})
    return here.get("workerid")


@pytest.fixture(scope="session")
def _one_write_at_a_time() -> None:
    """A conditional write of moto is not one step, as DynamoDB's is: of two threads
    that look before either has written, both get through.
    """
    from local.aws.strict.dynamodb import install  # noqa: PLC0415 - imports moto

    install()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, _one_write_at_a_time: None) -> Iterator[None]:
    """moto's AWS, for whatever client is made meanwhile."""
    from moto import mock_aws  # noqa: PLC0415 - most need no AWS

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield


@pytest.fixture(scope="session", autouse=True)
def _botocore_reads_its_files_once() -> Iterator[None]:
    """The models of services, which every session of every command reads anew: that is
    half of what making a client costs.
    """
    from botocore.loaders import JSONFileLoader  # noqa: PLC0415 - as boto3 is, late

    read, known = JSONFileLoader.load_file, dict[str, Any]()

    def load_file(self: JSONFileLoader, file_path: str) -> Any:
        if file_path not in known:
            known[file_path] = read(self, file_path)
        return known[file_path]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(JSONFileLoader, "load_file", load_file)
        yield


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_ends_what_tests_start() -> Iterator[None]:
    """As in a terminal: a run of the tests that was started in the background of a
    shell ignores it, and so would its children.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _process_is_left_as_it_was() -> Iterator[None]:
    """A test that leaves a variable, a thread or a silenced log behind fails itself,
    and not another one, in the runs in which that happens to come after it.
    """
    before, threads = found(), {*enumerate_threads()}
    with logging_as_outside_lambda():
        yield
    left = changes(before, found())
    if stay := threads_that_stay(threads):
        left.append(f"threads: {', '.join(stay)}")
    assert not left, "left behind: " + "; ".join(left)
