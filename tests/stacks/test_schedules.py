"""A thousand datasets, and one more."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import app
from lambdas.core.dataset import NAME_PATTERN
from lambdas.core.names import schedule_prefix
from project.environment import MAX_NAME, Environment
from project.environment_file import read_environment, read_project
from stacks.all_stacks import add_stacks, new_app
from tests.stacks.catalogues import catalogue_of
from tests.stacks.conftest import UNBUNDLED, Templates, read_templates

NAMES = st.from_regex(NAME_PATTERN, fullmatch=True)

FOUR = read_environment(app.ROOT / "environments", "dev").model_copy(
    update={"schedule_stacks": 4}
)


@given(datasets=st.sets(NAMES, max_size=20), new=NAMES)
def test_a_new_dataset_moves_no_other(datasets: set[str], new: str) -> None:
    before = {name: FOUR.schedule_stack_of(name) for name in datasets}
    after = {name: FOUR.schedule_stack_of(name) for name in {*datasets, new}}
    assert before == {name: after[name] for name in datasets}


def test_the_spread_is_the_same_in_every_process_and_release() -> None:
    """Another hash would move schedules between stacks, where their names collide."""
    spread = [
        FOUR.schedule_stack_of(name) for name in ("flights", "weather", "a_b", "ab")
    ]
    assert spread == [2, 2, 2, 0]


def test_a_thousand_datasets_fit_their_stacks(
    tmp_path: Path,
) -> None:
    names = [f"dataset_{number}" for number in range(998)]
    # To the CDK these two would be one, were they at a stack's top level.
    catalogue = catalogue_of([*names, "a_b", "ab"])
    environment, _ = read_project(app.ROOT, "prod")
    many = new_app(outdir=tmp_path, context=UNBUNDLED)
    add_stacks(many, environment=environment, catalogue=catalogue)
    many.synth()
    templates = read_templates(tmp_path)
    schedules = Counter(
        resource["Properties"]["Name"]
        for part, _, resource in templates.resources("AWS::Scheduler::Schedule")
        if part.startswith("schedules-")
    )
    assert schedules == Counter(f"catflap-prod-{name}" for name in catalogue.datasets)
    ids = {
        resource["Properties"]["Name"]: logical_id
        for _, logical_id, resource in templates.resources("AWS::Scheduler::Schedule")
        if "Name" in resource["Properties"]
    }
    # Another logical id makes another schedule, of a name that is taken.
    assert ids["catflap-prod-dataset_1"] == "Ticksdataset10F3AC0DA"
    assert max(len(one["Resources"]) for one in templates.by_part.values()) <= 450
    sizes = [path.stat().st_size for path in tmp_path.glob("*.template.json")]
    assert max(sizes) < 1_000_000  # CloudFormation's limit of a template


def test_one_dataset_more_is_a_schedule_and_the_catalogue(tmp_path: Path) -> None:
    """No function's code, settings or role changes, nor what holds data."""
    environment, _ = read_project(app.ROOT, "dev")
    before, after = (
        synthesized(tmp_path / str(number), environment, number) for number in (3, 4)
    )
    changed = {
        (resource["Type"], key)
        for part in after.by_part
        for name, resource in after[part]["Resources"].items()
        for key, value in resource["Properties"].items()
        if before[part]["Resources"]
        .get(name, {"Properties": {}})["Properties"]
        .get(key)
        != value
    }
    kinds = {kind for kind, _ in changed}
    assert kinds == {
        "AWS::Scheduler::Schedule",
        "Custom::CatflapCatalogue",
        "Custom::CatflapObjects",
    }
    assert ("Custom::CatflapCatalogue", "SourceKey") in changed
    new = [
        name
        for part, name, _ in after.resources("AWS::Scheduler::Schedule")
        if name not in before[part]["Resources"]
    ]
    assert len(new) == 1


def synthesized(folder: Path, environment: Environment, number: int) -> Templates:
    """The templates of so many datasets."""
    made = new_app(outdir=folder, context=UNBUNDLED)
    catalogue = catalogue_of([f"dataset_{one}" for one in range(number)])
    add_stacks(made, environment=environment, catalogue=catalogue)
    made.synth()
    return read_templates(folder)


def test_the_longest_names_still_make_a_schedules_name() -> None:
    dev, _ = read_project(app.ROOT, "dev")
    longest = dev.model_copy(update={"name": "e" * MAX_NAME})
    dataset = "d" * 48
    assert re.fullmatch(NAME_PATTERN, dataset)
    assert not re.fullmatch(NAME_PATTERN, dataset + "d")
    assert len(schedule_prefix(longest.name) + dataset) == 64
