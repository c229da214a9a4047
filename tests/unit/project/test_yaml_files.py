"""Folders of YAML: all faults at once, or a catalogue."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.core.dataset import Api
from lambdas.core.errors import BadInput
from project.yaml_files import BadFiles, load_catalogue, load_datasets, read_files
from tests.unit.cli.files import API, DATASET, changed, folders


def test_a_name_of_an_api_becomes_the_api(tmp_path: Path) -> None:
    dataset = load_catalogue(*folders(tmp_path))["cats"]
    assert isinstance(dataset.source.client, Api)
    assert dataset.source.client.base_url == "http://127.0.0.1:1/v1/"
    assert dataset.name == "cats"


def test_an_api_may_stand_in_place(tmp_path: Path) -> None:
    text = changed(DATASET, "client: cats", "client: {base_url: https://example.com}")
    datasets, _ = folders(tmp_path, datasets={"cats.yaml": text}, apis={})
    assert load_catalogue(datasets, tmp_path / "nowhere")["cats"].source.client


def test_all_faults_of_all_files_come_at_once_by_file_and_line(tmp_path: Path) -> None:
    faulty = changed(DATASET, "count: 3", "count: 0").replace("id: integer", "id: int")
    written = read_files(
        *folders(
            tmp_path,
            datasets={"b.yaml": faulty, "a.yaml": faulty, "c.yaml": DATASET},
            apis={"cats.yaml": changed(API, "timeout: 60", "timeout: x")},
        )
    )
    assert written.catalogue is None
    assert [
        str(one).removeprefix(f"{tmp_path}/").split(": ")[0] for one in written.faults
    ] == [
        "apis/cats.yaml:7",
        "datasets/a.yaml:18",
        "datasets/a.yaml:22",
        "datasets/b.yaml:18",
        "datasets/b.yaml:22",
    ]


def test_a_fault_does_not_hide_the_rules_between_other_keys(tmp_path: Path) -> None:
    text = changed(DATASET, "description: Every cat", "description: 3")
    text = changed(text, "primary_key: [id]\n", "")
    written = read_files(*folders(tmp_path, datasets={"cats.yaml": text}))
    assert [one.key for one in written.faults] == ["description", "primary_key"]


def test_what_follows_from_a_fault_is_not_told_beside_it(tmp_path: Path) -> None:
    text = changed(DATASET, "primary_key: [id]", "primary_key: 3")
    written = read_files(*folders(tmp_path, datasets={"cats.yaml": text}))
    assert [one.key for one in written.faults] == ["primary_key"]
    text = changed(DATASET, "primary_key: [id]", "primry_key: [id]")
    written = read_files(*folders(tmp_path, datasets={"cats.yaml": text}))
    assert [one.key for one in written.faults] == ["primry_key"]


def test_a_dataset_is_not_blamed_for_a_fault_of_its_api(tmp_path: Path) -> None:
    written = read_files(*folders(tmp_path, apis={"cats.yaml": "base_url: [\n"}))
    assert {Path(one.file).parent.name for one in written.faults} == {"apis"}


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("cats.yml", DATASET, "file"),
        ("Cats.yaml", DATASET, "file"),
        ("1cats.yaml", DATASET, "file"),
        ("big-cats.yaml", DATASET, "file"),
        ("c" * 49 + ".yaml", DATASET, "file"),
        ("cats.yaml", "", "document"),
        ("cats.yaml", "# nothing\n", "document"),
        ("cats.yaml", "---\n...\n", "document"),
        ("cats.yaml", "- a\n", "document"),
        ("cats.yaml", "cats\n", "document"),
    ],
)
def test_an_odd_file_is_one_fault(
    tmp_path: Path, name: str, text: str, key: str
) -> None:
    written = read_files(*folders(tmp_path, datasets={name: text}))
    assert [(one.line, one.key) for one in written.faults] == [(1, key)]


def test_a_file_in_a_folder_below_is_not_passed_over(tmp_path: Path) -> None:
    datasets, apis = folders(tmp_path)
    (datasets / "more").mkdir()
    (datasets / "more" / "dogs.yaml").write_text(DATASET)
    (fault,) = read_files(datasets, apis).faults
    assert fault.file.endswith("more/dogs.yaml")


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    datasets, apis = folders(tmp_path)
    (datasets / "dogs.yaml").symlink_to(tmp_path / "gone")
    (fault,) = read_files(datasets, apis).faults
    assert "cannot be read" in fault.sentence


@pytest.mark.parametrize("name", ["dogs.yaml", "dogs.yml"])
def test_a_folder_with_a_files_name_is_a_fault(tmp_path: Path, name: str) -> None:
    datasets, apis = folders(tmp_path)
    (datasets / name).mkdir()
    (fault,) = read_files(datasets, apis).faults
    assert "is a folder" in fault.sentence


def test_a_pipe_is_a_fault_and_not_waited_for(tmp_path: Path) -> None:
    datasets, apis = folders(tmp_path)
    os.mkfifo(datasets / "dogs.yaml")
    (fault,) = read_files(datasets, apis).faults
    assert "not a regular file" in fault.sentence


COUNTING = "paginator: {type: offset, limit: 10}\n"


@pytest.mark.parametrize(
    ("old", "new", "warned"),
    [
        ("    data_selector", f"    {COUNTING}    data_selector", 8),
        ("    data_selector",
         "    paginator: {type: page_number}\n    data_selector", 8),
        ("    data_selector", "    paginator: {type: cursor}\n    data_selector", None),
        ("    incremental:\n",
         f"    {COUNTING}    incremental:\n      lag: 3600\n", None),
    ],
)  # fmt: skip
def test_counting_pages_behind_a_cursor_is_warned_of(
    tmp_path: Path, old: str, new: str, warned: int | None
) -> None:
    """A row deleted while a pull counts hides another, and nobody asks for it again."""
    text = changed(DATASET, old, new)
    written = read_files(*folders(tmp_path, datasets={"cats.yaml": text}))
    assert written.faults == ()
    assert written.catalogue is not None
    assert [one.line for one in written.warnings] == ([warned] if warned else [])
    for one in written.warnings:
        assert ": warning: a row that is deleted" in str(one)


def test_a_warning_of_an_apis_paginator_stands_at_the_client(tmp_path: Path) -> None:
    api = changed(API, "{type: json_link, next_url_path: next}", "{type: page_number}")
    written = read_files(*folders(tmp_path, apis={"cats.yaml": api}))
    assert [(one.line, one.key) for one in written.warnings] == [(4, "source.client")]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    datasets, apis = folders(tmp_path)
    (datasets / "README.md").write_text("x")
    (datasets / ".cats.yaml.swp").write_text("x")
    assert read_files(datasets, apis).faults == ()


def test_a_folder_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--datasets"):
        read_files(tmp_path / "gone", tmp_path)


def test_an_empty_folder_is_an_empty_catalogue(tmp_path: Path) -> None:
    assert load_catalogue(*folders(tmp_path, datasets={})).datasets == {}


def test_bad_files_say_every_fault(tmp_path: Path) -> None:
    text = changed(DATASET, "count: 3", "count: 0")
    with pytest.raises(BadFiles, match=r"cats\.yaml:22: freshness\.warn_after\.count"):
        load_catalogue(*folders(tmp_path, datasets={"cats.yaml": text}))


def test_a_hostile_key_stays_on_one_line(tmp_path: Path) -> None:
    text = DATASET + '"\\e[31m\\nfake.yaml:1: x": 1\n'
    written = read_files(*folders(tmp_path, datasets={"cats.yaml": text}))
    (line,) = [str(one) for one in written.faults]
    assert "\n" not in line
    assert "\x1b" not in line


WORDS = ("{", "}", "[", "]", ":", ": ", "\n", "\n  ", "- ", "&a ", "*a", "!!x ", "3",
         "null", '"', "'", "|", "#", "\t", "é", "\x00", "\x85", "\u2028", "? ", "%",
         "@", "<<: ",
         "type", "1e999", "secret:", "{incremental.x}", "9" * 30)  # fmt: skip


@given(
    data=st.data(),
    base=st.sampled_from([DATASET, API]),
)
@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_change_of_a_valid_file_raises_anything_but_faults(
    tmp_path: Path, data: st.DataObject, base: str
) -> None:
    text = base
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.sampled_from(WORDS)) + text[at + gone :]
    files = {"datasets": {"cats.yaml": DATASET}, "apis": {"cats.yaml": API}}
    files["datasets" if base is DATASET else "apis"]["cats.yaml"] = text
    written = read_files(*folders(tmp_path, **files))
    assert (written.catalogue is None) == bool(written.faults)
    lines = text.count("\n") + 1
    for one in written.faults:
        assert 1 <= one.line <= lines
        assert len(str(one).splitlines()) == 1
        assert ";" in one.sentence


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
        lambda below: (
            st.lists(below, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "source",
                        "client",
                        "endpoint",
                        "type",
                        "paginator",
                        "auth",
                        "columns",
                        "freshness",
                        "calendar",
                        "quality",
                        "owner",
                        "schedule",
                        "x",
                    ]
                ),
                below,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_value_raises_anything_but_faults(tmp_path: Path, value: object) -> None:
    import json  # noqa: PLC0415 - JSON is YAML

    text = json.dumps(value)
    written = read_files(
        *folders(tmp_path, datasets={"cats.yaml": text}, apis={"cats.yaml": text})
    )
    assert written.faults


def test_a_fault_stops_only_the_datasets_it_concerns(tmp_path: Path) -> None:
    faulty = changed(DATASET, "count: 3", "count: 0")
    child = changed(
        changed(DATASET, "path: cats.json", 'path: "{parent.id}.json"'),
        "source:\n",
        "source:\n  parent: {dataset: dogs, fields: {id: id}}\n",
    )
    child = changed(child, '    params: {since: "{incremental.start_value}"}\n', "")
    child = re.sub(r"    incremental:\n(      .*\n)+", "", child)
    datasets, apis = folders(
        tmp_path,
        datasets={
            "cats.yaml": DATASET,
            "dogs.yaml": faulty,
            "puppies.yaml": child,
            "eels.yaml": changed(DATASET, "client: cats", "client: fish"),
            "moles.yml": DATASET,
        },
        apis={"cats.yaml": API, "fish.yaml": "base_url: 7\n"},
    )
    written = read_files(datasets, apis)
    assert sorted(written.sound.datasets) == ["cats"]
    assert {name: len(faults) for name, faults in written.faulty.items()} == {
        "dogs": 1,
        "puppies": 1,
        "eels": 1,
        "moles": 1,
    }
    assert load_datasets(["cats"], datasets=datasets, apis=apis)["cats"].name == "cats"
    for name in ("dogs", "puppies"):
        with pytest.raises(BadFiles, match=r"dogs\.yaml:22: freshness\.warn_after"):
            load_datasets(["cats", name], datasets=datasets, apis=apis)
    with pytest.raises(BadFiles, match=r"fish\.yaml:1: base_url"):
        load_datasets(["eels"], datasets=datasets, apis=apis)
    with pytest.raises(BadFiles):
        load_catalogue(datasets, apis)


@pytest.mark.parametrize("body", [DATASET, "a: b", ""])
def test_a_file_that_no_dataset_may_be_named_by_stands_for_none(
    tmp_path: Path, body: str
) -> None:
    """Not even for one whose name it is given while its faults are looked for."""
    other = changed(DATASET, "description: Every cat", "description: Every dog")
    for name in ("Cats", "has space", "1x", "n\x1b"):
        files = {"x.yaml": other, f"{name}.yaml": body}
        datasets, apis = folders(tmp_path / name, datasets=files)
        written = read_files(datasets, apis)
        assert [one.description for one in written.sound.datasets.values()] == [
            "Every dog"
        ]
        assert any("cannot be named" in one.sentence for one in written.faults)
        assert load_datasets(["x"], datasets=datasets, apis=apis).datasets.keys() == {
            "x"
        }


def test_a_name_that_is_not_known_is_looked_for_among_datasets_and_apis(
    tmp_path: Path,
) -> None:
    datasets, apis = folders(tmp_path, apis={"nycflights.yaml": API, "cats.yaml": API})
    for name, said in (
        (
            "cat",
            'there is no dataset "cat"; the nearest name is `cats`; accepted',
        ),
        ("nycflights", '"nycflights" is an API, not a dataset; accepted: cats'),
        ("nycflight", "the nearest name is the API `nycflights`; accepted: cats"),
    ):
        with pytest.raises(BadInput, match=re.escape(said)):
            load_datasets([name], datasets=datasets, apis=apis)
