"""Every fault is told at its line, by its key, with what is accepted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from project.yaml_files import read_files
from tests.unit.cli.files import API, DATASET, changed, folders

ENDPOINT = "source.endpoint"
CURSOR = f"{ENDPOINT}.incremental"
INITIAL = '      initial_value: "2013-01-01T00:00:00Z"\n'

# what is replaced in the valid dataset, by what; then each fault: line, key, words
DATASETS: list[tuple[str, str, list[tuple[int, str, str]]]] = [
    # keys
    ("description: Every", "descriptoin: Every", [
        (1, "description", "is missing"), (1, "descriptoin", '"description"')]),
    ("description: Every cat\n", "", [
        (1, "description", "is missing; accepted: text")]),
    ("owner: {team", "owner: {teem", [
        (2, "owner.team", "is missing"), (2, "owner.teem", '"team"')]),
    ("    data_selector", "    data_selectr", [
        (8, f"{ENDPOINT}.data_selectr", '"data_selector"')]),
    ("primary_key: [id]", "primary-key: [id]", [(14, "primary-key", '"primary_key"')]),
    ("primary_key: [id]", "primary_key: [id]\ncolour: red", [
        (15, "colour", "nearest known one")]),
    ("description: Every cat", "description: Every cat\nname: cats", [
        (2, "name", "name of the file")]),
    ("columns:", "response_actions: []\ncolumns:", [
        (17, "response_actions", "there is source.endpoint.response_actions")]),
    ("write_disposition: merge", "write_disposition: merge\nowner: {team: x}", [
        (16, "owner", "first on line 2")]),
    ("  id: integer", "  id: integer\n  id: string", [
        (19, "columns.id", "first on line 18")]),
    # types
    ("description: Every cat", "description: 3", [
        (1, "description", "must be text, not the number 3")]),
    ("description: Every cat", "description:", [
        (1, "description", "not nothing (null)")]),
    ("description: Every cat", "description: true", [(1, "description", "not true")]),
    ('owner: {team: data-eng, slack: "#data-eng"}', "owner: data-eng", [
        (2, "owner", 'must be a mapping, not the text "data-eng"')]),
    ("count: 3,", 'count: "3",', [
        (22, "freshness.warn_after.count",
         'a whole number, not the text "3"; accepted: a whole number above 0')]),
    ("count: 3,", "count: 3.5,", [(22, "freshness.warn_after.count", "number 3.5")]),
    ("count: 3,", "count: 0,", [(22, "freshness.warn_after.count", "is too small")]),
    ("primary_key: [id]", "primary_key: id", [
        (14, "primary_key", "must be a list, each of it a path")]),
    ("primary_key: [id]", "primary_key: [id, 3]", [
        (14, "primary_key[1]", "not the number 3")]),
    ("personal: false", "personal: no", [
        (19, "columns.fur.personal", 'not the text "no"; accepted: true or false')]),
    ("status_code: 404", "status_code: 999", [
        (10, f"{ENDPOINT}.response_actions[0].status_code", "is too large")]),
    ('    params: {since: "{incremental.start_value}"}', "    params: {a: [1]}", [
        (7, f"{ENDPOINT}.params.a", "not a list")]),
    ('    params: {since: "{incremental.start_value}"}', "    params: [a]", [
        (7, f"{ENDPOINT}.params", "must be a mapping")]),
    ("  client: cats", "  client: 3", [(4, "source.client", "must be")]),
    ("  client: cats", "  client: Cats!", [(4, "source.client", "a name")]),
    # words
    ("write_disposition: merge", "write_disposition: upsert", [
        (15, "write_disposition", "accepted: append, merge, replace")]),
    ("  id: integer", "  id: int", [(18, "columns.id", '"integer"')]),
    ("{type: string, personal", "{type: strng, personal", [
        (19, "columns.fur.type", '"string"')]),
    ("action: ignore", "action: skip", [
        (10, f"{ENDPOINT}.response_actions[0].action", "ignore, retry, fail")]),
    ("warn_after: {count: 3, period: hour}", "warn_after: {count: 3, period: hours}", [
        (22, "freshness.warn_after.period", '"hour"')]),
    # branches of a union
    ("    data_selector", "    paginator: {type: ofset}\n    data_selector", [
        (8, f"{ENDPOINT}.paginator.type", '"offset"')]),
    ("    data_selector", "    paginator: {limit: 3}\n    data_selector", [
        (8, f"{ENDPOINT}.paginator.type", "is missing")]),
    ("    data_selector", "    paginator: {type: offset}\n    data_selector", [
        (8, f"{ENDPOINT}.paginator.limit", "is missing")]),
    ("    data_selector",
     "    paginator:\n      type: cursor\n      cursor_parm: x\n    data_selector", [
        (10, f"{ENDPOINT}.paginator.cursor_parm", '"cursor_param"')]),
    ("    data_selector",
     ("    paginator: {type: cursor, cursor_param: a, cursor_body_path: b}\n"
     "    data_selector"), [(8, f"{ENDPOINT}.paginator", "not both")]),
    ("    data_selector", "    paginator: next\n    data_selector", [
        (8, f"{ENDPOINT}.paginator", "must be a mapping")]),
    ("  client: cats", "  client:\n    base_url: http://127.0.0.1:1\n    timeout: -1", [
        (6, "source.client.timeout", "is too small")]),
    ("  client: cats", "  client:\n    timeout: 3", [
        (4, "source.client.base_url", "is missing")]),
    ("  client: cats", "  client:\n    base_url: ftp://x", [
        (5, "source.client.base_url", "is not an absolute URL")]),
    # paths
    ("data_selector: rows", "data_selector: rows[", [
        (8, f"{ENDPOINT}.data_selector", "cannot be read as a path")]),
    ("data_selector: rows", "data_selector: $..rows", [
        (8, f"{ENDPOINT}.data_selector", "cannot be read as a path")]),
    ("cursor_path: at", 'cursor_path: ""', [(12, f"{CURSOR}.cursor_path", "is empty")]),
    ("      cursor_path: at\n", "", [(11, f"{CURSOR}.cursor_path", "is missing")]),
    # keys that go together
    ("  client: cats\n", "", [(3, "source.client", "is missing")]),
    ("  client: cats", "  client: catz", [
        (4, "source.client", "the nearest is `cats`")]),
    ("primary_key: [id]\n", "", [(1, "primary_key", "needs a primary_key")]),
    ("primary_key: [id]", "primary_key: [id, id]", [
        (14, "primary_key", "names a path twice")]),
    ("write_disposition: merge", "write_disposition: append\ndeleted_when: gone", [
        (16, "deleted_when", "can only be deleted with")]),
    (INITIAL + "primary_key: [id]\nwrite_disposition: merge",
     INITIAL + "      lag: 60\nwrite_disposition: append", [
        (14, f"{CURSOR}.lag", "land twice")]),
    ("cursor_path: at", "cursor_path: at\n      timezone: Mars/Base", [
        (13, f"{CURSOR}.timezone", "`Mars/Base`")]),
    ("00:00:00Z", "00:00:00", [(13, f"{CURSOR}.initial_value", "no offset")]),
    ("cursor_path: at", "cursor_path: at\n      format: 'YYYY-MM-DD'", [
        (13, f"{CURSOR}.format", "no part of a time")]),
    ("cursor_path: at", "cursor_path: at\n      format: '%Y-%q'", [
        (13, f"{CURSOR}.format", "`%q`")]),
    ("status_code: 404, ", "", [
        (10, f"{ENDPOINT}.response_actions[0]", "says of no answer")]),
    ("    data_selector", "    json: {a: 1}\n    data_selector", [
        (8, f"{ENDPOINT}.json", "a GET has no body")]),
    ("    data_selector: rows", "    format: csv\n    data_selector: rows", [
        (4, "source.client", "the next page in JSON"),
        (9, f"{ENDPOINT}.data_selector", "every line of csv is a record")]),
    ("    data_selector: rows", "    format: jsonl\n    paginator: {type: cursor}", [
        (9, f"{ENDPOINT}.paginator", "accepted: auto, header_link")]),
    ("data_selector", "paginator: {type: cursor, cursor_body_path: p}\n    #", [
        (8, f"{ENDPOINT}.paginator.cursor_body_path", "accepted: cursor_param, or")]),
    ("data_selector", "paginator: {type: cursor, cursor_body_path: 'p[*]'}\n    #", [
        (8, f"{ENDPOINT}.paginator", "must be one place in an object")]),
    ("    data_selector", '    headers: {"a b": x}\n    data_selector', [
        (8, f'{ENDPOINT}.headers["a b"]', "cannot name a header")]),
    ("    data_selector", "    headers: {X-A: x, x-a: y}\n    data_selector", [
        (8, f"{ENDPOINT}.headers.x-a", "written twice")]),
    ("columns:", "table: {target_lag: 1 hour}\ncolumns:", [
        (17, "table.target_lag", "always up to date")]),
    ("columns:", "table: {materialized: dynamic_table}\ncolumns:", [
        (17, "table.target_lag", "a dynamic table needs it")]),
    ("columns:", "table: {materialized: dynamic_table, target_lag: 9 s}\ncolumns:", [
        (17, "table.target_lag", "one minute at least")]),
    ("columns:", "table: {materialized: dynamic_table, target_lag: often}\ncolumns:", [
        (17, "table.target_lag", "or `downstream`")]),
    ("columns:", "contract: {columns: forbid}\ncolumns:", [
        (17, "contract.columns", "discard_value")]),
    ("  id: integer", "  ID: integer\n  id: integer", [
        (19, "columns.id", "same column as `ID`")]),
    ("  id: integer", "  _file: string", [(18, "columns._file", "catflap's own")]),
    # placeholders
    ("incremental.start_value}", "incremental.start_valu}", [
        (7, f"{ENDPOINT}.params.since", "{incremental.start_value}")]),
    ("{incremental.start_value}", "{incremental.start_value", [
        (7, f"{ENDPOINT}.params.since", "does not end")]),
    ("{incremental.start_value}", "{parent.id}", [
        (7, f"{ENDPOINT}.params.since", "needs source.parent")]),
    ("path: cats.json", 'path: "cats/{id}"', [
        (6, f"{ENDPOINT}.path", "not a known placeholder")]),
    ("    incremental:\n      cursor_path: at\n" + INITIAL, "", [
        (7, f"{ENDPOINT}.params.since", "needs source.endpoint.incremental")]),
    ('since: "{incremental.start_value}"', 'key: "secret:cats"', [
        (7, f"{ENDPOINT}.params.key", "secret:NAME#KEY")]),
    # when
    ("5 * * * ? *", "5 * * * *", [(16, "schedule.cron", "5 fields")]),
    ("5 * * * ? *", "61 * * * ? *", [(16, "schedule.cron", "61")]),
    ("timezone: America/New_York", "timezone: EST5", [
        (16, "schedule.timezone", "IANA")]),
    ('{cron: "5 * * * ? *", ', '{cron: "5 * * * ? *", rate: 1 hour, ', [
        (16, "schedule", "there are both")]),
    ('{cron: "5 * * * ? *", timezone: America/New_York}', "{rate: hourly}", [
        (16, "schedule.rate", "`hourly` is not a rate")]),
    ("error_after: {count: 6", "error_after: {count: 2", [
        (22, "freshness.warn_after", "not shorter than")]),
    ("  loaded_at_field: at", '  calendar: {quiet: ["9-17"]}', [
        (21, "freshness.calendar.quiet[0]", "not a quiet window")]),
    ("  loaded_at_field: at", "  calendar: {weekdays: [mon, funday]}", [
        (21, "freshness.calendar.weekdays[1]", '"sun"')]),
    ("  loaded_at_field: at", "  calendar:\n    holidays: Narnia", [
        (22, "freshness.calendar.holidays", "`Narnia`")]),
    # retention
    ("columns:", "retention: {raw: 1 year}\ncolumns:", [
        (17, "retention.raw", "a number of days")]),
    # fan-out
    ("  client: cats", "  parent: {dataset: dogs, fields: {a: b}}\n  client: cats", [
        (4, "source.parent", "{parent.a} in the endpoint's path"),
        (4, "source.parent.dataset", "there is no `dogs`"),
        (12, CURSOR, "one cursor cannot stand for many parents")]),
    ("  client: cats", "  parent: {dataset: cats, fields: {}}\n  client: cats", [
        (4, "source.parent.fields", "at least 1")]),
    ("  client: cats", "  parent: {dataset: x, fields: {a: 'b[['}}\n  client: cats", [
        (4, "source.parent.fields.a", "cannot be read as a path")]),
    ("columns:", "circuit_breaker: true\ncolumns:", [
        (17, "circuit_breaker", "no check of severity error")]),
    # YAML itself
    ("  client: cats", "\tclient: cats", [(4, "document", "a tab")]),
    ("description: Every cat", "description: Every: cat", [(1, "document", "`: `")]),
    ("primary_key: [id]", "primary_key: [id", [
        (15, "document", "flow sequence from line 14")]),
    ("primary_key: [id]", "primary_key: *keys", [(14, "primary_key", "alias")]),
    ("primary_key: [id]", "primary_key: &a [*a]", [
        (14, "primary_key[0]", "inside of")]),
    ("primary_key: [id]", "primary_key: !!set {id}", [(14, "primary_key", "tag")]),
    ("primary_key: [id]", "? [id]\n: 3", [(14, "document", "a key that is no plain")]),
    ("count: 3,", "count: 99999999999999999999,", [
        (22, "freshness.warn_after.count", "out of range")]),
    ("columns:", "---\ncolumns:", [(17, "document", "a second document")]),
    ("description: Every cat", "description: \x07", [(1, "document", "U+0007")]),
]  # fmt: skip

APIS: list[tuple[str, str, list[tuple[int, str, str]]]] = [
    ("base_url: http://127.0.0.1:1/v1/\n", "", [(1, "base_url", "is missing")]),
    ("http://127.0.0.1:1/v1/", "http://example.com", [(1, "base_url", "plain http")]),
    ("http://127.0.0.1:1/v1/", "example.com", [(1, "base_url", "not an absolute URL")]),
    ("http://127.0.0.1:1/v1/", "https://me:pw@example.com", [
        (1, "base_url", "user or password")]),
    ("http://127.0.0.1:1/v1/", "https://example.com/?a=1", [(1, "base_url", "query")]),
    ("http://127.0.0.1:1/v1/", "http://localhost.example.com", [
        (1, "base_url", "plain http")]),
    ("http://127.0.0.1:1/v1/", "https://example.com:99999", [
        (1, "base_url", "not an absolute URL")]),
    ("timeout: 60", "timeout: 0", [(7, "timeout", "is too small")]),
    ("timeout: 60", "time_out: 60", [(7, "time_out", '"timeout"')]),
    ("requests: 10", "requests: 0", [(5, "rate_limit.requests", "is too small")]),
    ("period: second", "period: day", [
        (5, "rate_limit.period", "second, minute, hour")]),
    ("max_attempts: 5", "max_attempts: 50", [
        (6, "retry.max_attempts", "is too large")]),
    ("{Accept: application/json}", "{Accept: 1}", [(2, "headers.Accept", "a number")]),
    ("{Accept: application/json}", '{Accept: "a\\nb"}', [
        (2, "headers.Accept", "line break")]),
    ("type: bearer", "type: berer", [(3, "auth.type", '"bearer"')]),
    ("type: bearer, token", "type: api_key, tokn", [
        (3, "auth.api_key", "is missing"), (3, "auth.tokn", "nearest")]),
    ("secret:cats#token", "secret:cats", [(3, "auth.token", "secret:NAME#KEY")]),
    ("type: json_link", "type: json_links", [(4, "paginator.type", '"json_link"')]),
]  # fmt: skip


def seen(root: Path, dataset: str, api: str) -> list[tuple[str, int, str, str]]:
    written = read_files(
        *folders(root, datasets={"cats.yaml": dataset}, apis={"cats.yaml": api})
    )
    return [
        (Path(one.file).parent.name, one.line, one.key, one.sentence)
        for one in written.faults
    ]


def assert_told(
    found: list[tuple[str, int, str, str]],
    folder: str,
    expected: list[tuple[int, str, str]],
) -> None:
    assert [one[:3] for one in found] == [(folder, *one[:2]) for one in expected]
    for (_, _, _, sentence), (_, _, words) in zip(found, expected, strict=True):
        assert words in sentence
        assert re.fullmatch(r"[^\n]+;[^\n]+", sentence), sentence


def test_the_valid_files_are_valid(tmp_path: Path) -> None:
    assert seen(tmp_path, DATASET, API) == []


@pytest.mark.parametrize(("old", "new", "expected"), DATASETS)
def test_a_faulty_dataset_is_told_by_line_and_key(
    tmp_path: Path, old: str, new: str, expected: list[tuple[int, str, str]]
) -> None:
    assert_told(seen(tmp_path, changed(DATASET, old, new), API), "datasets", expected)


@pytest.mark.parametrize(("old", "new", "expected"), APIS)
def test_a_faulty_api_is_told_by_line_and_key(
    tmp_path: Path, old: str, new: str, expected: list[tuple[int, str, str]]
) -> None:
    assert_told(seen(tmp_path, DATASET, changed(API, old, new)), "apis", expected)


QUALITY: list[tuple[str, list[tuple[int, str, str]]]] = [
    ("{metric: rowCount, mustBe: 1}", []),
    ("{metric: invalidValues, column: id, validValues: [1]}", []),
    ("{metric: rowCount, mustBe: 1, mustNotBe: 2}", [
        (25, "quality[0]", "there are mustBe, mustNotBe")]),
    ("{metric: rowCount}", [(25, "quality[0]", "there is none")]),
    ("{metric: rowCount, query: select 1, mustBe: 1}", [
        (25, "quality[0]", "there are both")]),
    ("{mustBe: 1}", [(25, "quality[0]", "there is neither")]),
    ("{metric: nullValues, mustBe: 0}", [(25, "quality[0].column", "is missing")]),
    ("{metric: rowCount, column: id, mustBe: 0}", [
        (25, "quality[0].column", "rowCount has no column")]),
    ("{metric: invalidValues, column: id, mustBe: 0}", [
        (25, "quality[0].validValues", "is missing")]),
    ("{metric: nullValues, column: id, validValues: [1], mustBe: 0}", [
        (25, "quality[0].validValues", "not used here")]),
    ("{metric: rowCount, mustBeBetween: [3, 1]}", [
        (25, "quality[0].mustBeBetween", "greater than the second")]),
    ("{metric: rowCount, mustBeBetween: [3]}", [
        (25, "quality[0].mustBeBetween", "1 element")]),
    ("{metric: rows, mustBe: 1}", [(25, "quality[0].metric", '"rowCount"')]),
    ("{metric: rowCount, mustBe: 1, severity: fatal}", [
        (25, "quality[0].severity", "warn, error")]),
    ("{metric: nullValues, column: furr, mustBe: 0}", [
        (25, "quality[0].column", "nearest is `fur`")]),
    ("{metric: newColumns, mustBe: 0, on: run}", [
        (25, "quality[0].on", "is about all rows")]),
    ("{metric: rowCount, mustBe: 0, unit: percent}", [
        (25, "quality[0].unit", "no share of rows")]),
    ("{metric: rowCount, mustBe: 0, arguments: {pattern: a}}", [
        (25, "quality[0].arguments.pattern", "does not take it; accepted: none")]),
    ('{metric: invalidValues, column: id, arguments: {pattern: "("}}', [
        (25, "quality[0].arguments.pattern", "is no regular expression")]),
    ('{metric: invalidValues, column: id, arguments: {pattern: "(?=a)"}}', [
        (25, "quality[0].arguments.pattern", "Snowflake does not know")]),
    ("{metric: references, column: id, mustBe: 0}", [
        (25, "quality[0].arguments.dataset", "references needs it")]),
    ("{metric: references, column: id, mustBe: 0, arguments: {dataset: dogs}}", [
        (25, "quality[0].arguments.dataset", "there is no `dogs`")]),
    (("{metric: references, column: id, mustBe: 0, "
     "arguments: {dataset: cats, column: idd}}"), [
        (25, "quality[0].arguments.column", "there is no column `idd`")]),
    ("{query: delete from cats, mustBe: 0}", [
        (25, "quality[0].query", "is no query")]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "expected"), QUALITY)
def test_a_faulty_check_is_told_by_line_and_key(
    tmp_path: Path, check: str, expected: list[tuple[int, str, str]]
) -> None:
    found = seen(tmp_path, f"{DATASET}quality:\n  - {check}\n", API)
    assert_told(found, "datasets", expected)


def test_a_plain_secret_is_refused_unless_it_stays_on_this_machine(
    tmp_path: Path,
) -> None:
    plain = changed(API, "secret:cats#token", "hunter2")
    assert seen(tmp_path, DATASET, plain) == []
    away = changed(plain, "http://127.0.0.1:1/v1/", "https://example.com/")
    found = seen(tmp_path, DATASET, away)
    assert [one[:3] for one in found] == [("apis", 3, "auth.token")]
    assert "hunter2" not in found[0][3]


@pytest.mark.parametrize(
    "auth",
    [
        "{type: bearer, token: 12345678}",
        "{type: bearer, token: [12345678]}",
        "12345678",
        "{type: 12345678}",
        "{type: api_key, api_key: 12345678, location: {}}",
        "{type: bearer, token: 'secret: 12345678'}",
    ],
)
def test_no_fault_shows_what_may_be_a_secret(tmp_path: Path, auth: str) -> None:
    api = changed(API, "{type: bearer, token: secret:cats#token}", auth)
    found = seen(tmp_path, DATASET, api)
    assert found
    assert "12345678" not in str(found)
