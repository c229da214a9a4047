"""What looks like a number in an answer and is none ends a pull in words, or not at
all; never in an error of ours.
"""

from __future__ import annotations

import pytest

from lambdas.core.errors import UpstreamError
from tests.api_pull import Pull
from tests.api_server import answer_json, in_turn, serving

ODD = ["--5", "²", "9" * 5_000, "9" * 400, "--5.0"]
PLACES = ["total", "pages", "offset", "code", "next"]
PAGINATORS = {
    "found": {"type": "auto"},
    "offset with a total": {"type": "offset", "limit": 5, "total_path": "total"},
    "page_number": {"type": "page_number", "total_path": "pages"},
    "header_cursor": {"type": "header_cursor", "cursor_key": "X-Next"},
}


@pytest.mark.parametrize("paginator", PAGINATORS.values(), ids=PAGINATORS)
@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_what_is_no_number_is_no_error_of_ours(
    odd: str, paginator: dict[str, object]
) -> None:
    headers = {"X_Next": odd} if odd.isascii() and len(odd) < 1_000 else {}
    for place in PLACES:
        # without rows a code beside a message is looked at
        rows = [] if place == "code" else [{"id": 1}]
        body = {"rows": rows, place: odd, "message": "x"}
        pages = [answer_json(body, **headers), answer_json({"rows": []})]
        with serving(in_turn(*pages)) as server:
            pull = Pull(server, {"data_selector": "rows", "paginator": paginator})
            try:
                pull.records()
            except UpstreamError:
                continue
