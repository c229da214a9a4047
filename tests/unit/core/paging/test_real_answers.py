"""What is made of real answers where nothing is declared: each first one is followed
or refused, each last one ends the pull.
"""

from __future__ import annotations

import json

import pytest

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.message import HttpRequest
from lambdas.core.paging.auto import AutoPaginator
from lambdas.core.paging.page import AnsweredPage
from lambdas.core.records.documents import Document
from lambdas.core.records.failure import refuse_failure
from lambdas.core.records.select import WHOLE, detect_selector, select_records
from tests.unit.core.paging.more_answers import MORE_FIRST, MORE_LAST
from tests.unit.core.paging.real_answers import FIRST, LAST, H, RealAnswer

ALL_FIRST = {**FIRST, **{f"{name}, too": one for name, one in MORE_FIRST.items()}}
ALL_LAST = {**LAST, **{f"{name}, too": one for name, one in MORE_LAST.items()}}


def answered(real: RealAnswer) -> AnsweredPage:
    document = Document(json.dumps(real.body).encode())
    selector = detect_selector(document, hint="cats")
    records = select_records(document, None, found=selector)
    request = HttpRequest(
        method="GET" if real.post is None else "POST",
        url=f"{H}{real.path}",
        params=real.asked,
        headers={},
        json=real.post,
    )
    page = AnsweredPage(
        url=request.url,
        origin=f"{H}:443",
        headers=real.headers,
        status=real.status,
        rows=len(records),
        document=document,
        request=request,
        selector=selector,
        is_one_record=selector == WHOLE and document.kind == "object",
    )
    refuse_failure(document, page.envelope, rows=page.rows)
    return page


@pytest.mark.parametrize("name", ALL_FIRST)
def test_a_first_answer_with_more_behind_it_is_followed_or_refused(name: str) -> None:
    real = ALL_FIRST[name]
    page = answered(real)
    if real.is_refused:
        with pytest.raises(Terminal, match="declare") as caught:
            AutoPaginator().after(page, None)
        assert caught.value.kind is RunErrorKind.RESPONSE
        return
    position = AutoPaginator().after(page, None)
    assert position is not None
    request = AutoPaginator().request(page.request, position)
    if real.url is not None:
        assert request.url == real.url
    if real.params is not None:
        assert {**request.params} == {**real.asked, **real.params}
    if real.sends is not None:
        assert request.json == real.sends


@pytest.mark.parametrize("name", ALL_LAST)
def test_a_last_answer_ends_the_pull(name: str) -> None:
    assert AutoPaginator().after(answered(ALL_LAST[name]), None) is None


def test_there_are_enough_of_them() -> None:
    assert len(ALL_FIRST) + len(ALL_LAST) >= 280
