from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli.main import run
from lambdas.core.dataset import Catalogue
from project.environment import MAX_SCHEDULES
from project.environment_file import environment_faults
from project.yaml_files import load_catalogue

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("datasets", "apis", "environments", "sources"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def check(project: Path, *more: str) -> int:
    folders = [
        "--datasets", str(project / "datasets"), "--apis", str(project / "apis"),
        "--environments", str(project / "environments"),
    ]  # fmt: skip
    return run(["check", *folders, *more])


def faults_in(text: str) -> list[str]:
    return [one for one in text.splitlines()[:-1] if ": warning: " not in one]


def test_an_api_on_loopback_is_a_warning_where_it_would_be_deployed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(project) == 0
    assert capsys.readouterr().err == ""
    assert check(project, "--env", "dev") == 0
    lines = capsys.readouterr().err.splitlines()
    loopback = [line for line in lines if "source.client: warning: asks http" in line]
    names = sorted(path.name for path in (project / "datasets").glob("*.yaml"))
    assert [Path(line.partition(":")[0]).name for line in loopback] == names


def test_alarms_that_reach_nobody_are_a_warning_until_a_team_has_an_address(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "environments" / "dev.yaml"
    warned = f"{file}:12: teams: warning: no team has an address in `engineers`"
    assert check(project, "--env", "dev") == 0
    assert warned in capsys.readouterr().err
    text = file.read_text().replace("data-eng: {", "data-eng: {engineers: [a@b.ch], ")
    file.write_text(text)
    assert check(project, "--env", "dev") == 0
    assert "no team has" not in capsys.readouterr().err


def test_a_promise_that_cannot_be_kept_is_a_line_of_its_own(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "datasets" / "weather.yaml"
    written = file.read_text()
    file.write_text(written.replace("count: 3, period: hour", "count: 1, period: hour"))
    line = written[: written.index("  warn_after")].count("\n") + 1
    assert check(project) == 2
    fault = capsys.readouterr().err.splitlines()[0]
    assert fault.startswith(f"{file}:{line}: freshness.warn_after: is exceeded")
    assert "; accepted: at least " in fault


def test_a_team_that_an_environment_lacks_is_a_line_of_the_datasets_file(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "datasets" / "flights.yaml"
    file.write_text(file.read_text().replace("team: data-eng", "team: nobody"))

    assert check(project) == 0
    capsys.readouterr()
    assert check(project, "--env", "dev") == 2
    (line,) = faults_in(capsys.readouterr().err)
    where, _, sentence = line.partition(": owner.team: ")
    number = int(where.removeprefix(f"{file}:"))
    assert "team: nobody" in file.read_text().splitlines()[number - 1]
    assert sentence.endswith("known teams: data-eng")


def test_a_fault_of_the_environments_own_file_is_one_of_check(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "environments" / "dev.yaml"
    file.write_text(file.read_text() + "schedule_stax: 3\n")

    assert check(project, "--env", "dev") == 2
    assert f"{file}:" in capsys.readouterr().err
    assert check(project, "--env", "none") == 2
    assert "there is no environment `none`" in capsys.readouterr().err


@pytest.mark.parametrize("count", [700, 1_000])
def test_more_schedules_than_a_stack_takes_are_refused_with_the_number_that_suffices(
    project: Path, count: int
) -> None:
    """dev has two stacks."""
    (_, one), *_ = load_catalogue(
        project / "datasets", project / "apis"
    ).datasets.items()
    many = Catalogue(
        datasets={
            name: one.model_copy(update={"name": name})
            for name in (f"cats_{number}" for number in range(count))
        }
    )
    found = environment_faults(
        project / "environments", "dev", many, project / "datasets"
    )

    if count < 2 * MAX_SCHEDULES - 50:
        assert found == []
        return
    (fault,) = found
    assert fault.file.endswith("dev.yaml")
    assert fault.key == "schedule_stacks"
    assert "of 1,000 schedules fall into one of 2 stacks, which takes 400" in str(fault)
    assert "3 stacks or more are accepted" in str(fault)


def test_a_region_in_which_slack_has_no_buttons_is_a_warning(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "environments" / "dev.yaml"
    assert check(project, "--env", "dev") == 0
    assert "no Lambda function URLs" not in capsys.readouterr().err
    file.write_text(file.read_text().replace("us-east-1", "eu-central-2"))
    assert check(project, "--env", "dev") == 0
    assert "slack: warning: eu-central-2 has no Lambda function URLs" in (
        capsys.readouterr().err
    )
