from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import timedelta
from typing import Any

from lambdas.adapters.reports.status_page import MOST_BYTES, as_html
from lambdas.core.freshness.attainment import Day
from lambdas.core.incidents.incident import HumanSide
from lambdas.core.reports.page.facts import PageFacts
from lambdas.core.reports.page.status_page import status_page
from tests.datasets import a_dataset
from tests.pages import NOW, a_tally, a_watch, an_incident, named, some_facts

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\"'&"


def html_of(facts: PageFacts) -> str:
    return as_html(status_page(facts), written_at=NOW)


def data_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html)
    assert found is not None
    value: dict[str, Any] = json.loads(found[1])
    return value


def hostile_facts() -> PageFacts:
    text = HOSTILE + "x" * 100_000
    cats = a_dataset(
        description=text,
        owner={"team": text, "slack": text, "stakeholders": text},
        schedule={"cron": "5 * * * ? *"},
    )
    incident = an_incident(
        "cats",
        headline=text,
        evidence=(text,) * 100,
        next_step=text,
        human=HumanSide(acknowledged_by=text, note=text, fix_url="javascript:alert(1)"),
    )
    return some_facts(
        [cats],
        watches={"cats": a_watch("cats", is_late=True)},
        incidents={"cats": incident},
    )


def test_hostile_texts_inject_nothing() -> None:
    html = html_of(hostile_facts())
    assert html.count("<script") == 2
    assert "<img" not in html
    assert "\u202e" not in html
    assert "javascript:" not in html
    assert len(html.encode()) < 100_000
    assert data_of(html)["full"]["0"]["incident"]["fix"] is None


def test_the_policy_admits_the_one_script_and_style_by_their_hashes() -> None:
    html = html_of(some_facts([a_dataset()]))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert len(found) == 1
        digest = base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy[1]
    assert "default-src 'none'" in policy[1]
    assert " style=" not in html
    assert " onclick" not in html


def test_the_page_leads_nowhere_by_itself() -> None:
    html = html_of(some_facts([a_dataset()]))
    apart_from_svg = html.replace("http://www.w3.org/2000/svg", "")
    assert "http:" not in apart_from_svg
    assert "https:" not in apart_from_svg


def test_a_thousand_datasets_fit_whatever_they_are_like() -> None:
    bad = [Day(day=f"2026-11-{day:02}", warn_s=5_000) for day in range(3, 28, 2)]
    words = "What the people who use it say that it is, in a sentence of theirs; " * 2
    datasets = named(1_000, description=words)
    watches = {
        one.name: a_watch(one.name, is_late=True, tally=a_tally(*bad))
        for one in datasets
    }
    incidents = {one.name: an_incident(one.name) for one in datasets[:500]}
    well = html_of(some_facts(datasets))
    ill = html_of(some_facts(datasets, watches=watches, incidents=incidents))
    for html in (well, ill):
        assert len(html.encode()) <= MOST_BYTES
        assert html.count("<tr class=") == 1_000
        assert len(data_of(html)["rows"]) == 1_000
        assert "dataset_0999" in html
    assert len(data_of(ill)["full"]) >= 20


def test_what_is_told_by_the_embedded_stack_is_labelled_simulated() -> None:
    label = "<strong>Simulated.</strong>"
    assert label in html_of(some_facts([a_dataset()], simulated=True))
    assert label not in html_of(some_facts([a_dataset()]))


def test_the_browser_learns_when_the_page_was_written_and_when_checks_ended() -> None:
    page = status_page(some_facts([a_dataset()]))
    later = NOW + timedelta(days=1)
    data = data_of(as_html(page, written_at=later))
    assert data["written"] == later.timestamp()
    assert data["checked"] == (NOW - timedelta(minutes=3)).timestamp()
    assert data["made"] == NOW.timestamp()


def test_a_page_of_nothing_says_so() -> None:
    assert "No dataset is declared yet" in html_of(some_facts([]))
