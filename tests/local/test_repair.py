"""What lands and does not load is found and mended, without a row twice."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from cli.main import run
from lambdas.adapters.landing.bucket import LandingBucket
from lambdas.adapters.state.loads import LoadTable
from lambdas.adapters.state.runs import StateTable
from lambdas.core.landing.names import new_run_id, raw_key, whole_milliseconds
from lambdas.core.loading.reload import GZIP
from lambdas.core.pull.commit import Committer
from lambdas.core.pull.run import Manifest, Run, RunStatus
from lambdas.core.sql import access, generation, names
from local.scenarios.comparison import canonical, landed
from local.stack import PERSON
from tests.local.embedded_world import PULL, World
from tests.memory import FakeClock, MemoryEvents

CHECK = timedelta(minutes=30)
"""How often the environment `dev` looks."""


def tables(world: World, dataset: str) -> list[str]:
    """The payloads of a raw table, sorted."""
    database = world.stack.project.environment.snowflake.database
    rows = world.stack.warehouse(
        f"SELECT PAYLOAD FROM {database}.RAW.{dataset.upper()}"
    )
    return sorted(str(row[0]) for row in rows)


def contents(lines: Iterable[str | bytes]) -> Counter[bytes]:
    """Rows by what they hold, however it is written."""
    return Counter(canonical(orjson.loads(line)) for line in lines)


def check(world: World) -> dict[str, Any]:
    """A tick of the schedule: the repair, then the check that tells of it."""
    world.move(world.now + CHECK)
    found = world.repair()
    world.check()
    return found


def made(world: World) -> list[int]:
    """Ids in the table of weather that a test made."""
    found = [orjson.loads(line)["id"] for line in tables(world, "weather")]
    return sorted(one for one in found if one >= MADE)


def mails(world: World) -> list[Any]:
    """What was told of loads since the last time; that nobody pulls, or checks, is told
    as well.
    """
    return [
        mail
        for mail in world.stack.topics.read()
        if not any(of in mail.subject for of in ("late", "up to date", "no check for"))
    ]


def is_whole(world: World, dataset: str) -> bool:
    """Whether the table has what has landed, by content and nothing twice."""
    found = [canonical(orjson.loads(line)) for line in tables(world, dataset)]
    bucket = world.stack.bucket()
    return Counter(found) == Counter(
        landed(world.stack.cloud.client("s3"), bucket, dataset)
    )


def land(world: World, dataset: str, lines: list[bytes]) -> str:
    """Land a run of one object by the commit protocol; its id."""
    now = whole_milliseconds(world.now)
    run_id = new_run_id(now, abs(hash(lines[0])).to_bytes(8)[:6])
    s3 = world.stack.cloud.client("s3")
    landing = LandingBucket(s3=s3, bucket=world.stack.bucket())
    key = raw_key(
        dataset, generation(world.stack.project.catalogue[dataset]), run_id, 1
    )
    writer = landing.open(key, run_id=run_id)
    compressor = zlib.compressobj(1, zlib.DEFLATED, GZIP)
    writer.write(compressor.compress(b"".join(line + b"\n" for line in lines)))
    writer.write(compressor.flush())
    pending = writer.finish(len(lines))
    state: StateTable = world.state()
    committer = Committer(
        landing=landing, state=state, events=MemoryEvents(), clock=FakeClock(world.now)
    )
    before = committer.read(dataset)
    run = Run(
        dataset=dataset,
        run_id=run_id,
        status=RunStatus.RUNNING,
        started_at=now,
        finished_at=None,
        rows=len(lines),
        size=pending.size,
        objects=1,
        pages=1,
        requests=1,
        retries=0,
        cursor_before=before.cursor.value,
        cursor_after=before.cursor.value,
        newest_key=key,
    )
    manifest = Manifest(
        dataset=dataset,
        run_id=run_id,
        objects=(pending,),
        cursor_after=before.cursor,
        write_disposition=world.stack.project.catalogue[dataset].write_disposition,
        answered_until=before.last_success_started_at,
    )
    committer.commit(before, run, manifest)
    world.fabric.drain(world.now)
    return run_id


@pytest.fixture(scope="module")
def pulled(embedded: World) -> World:
    """A world in which the first pulls have landed and are loaded."""
    embedded.advance(timedelta(hours=2))
    embedded.check()
    for _ in range(2):
        check(embedded)
    mails(embedded)
    return embedded


def test_healthy_loads_are_settled_without_the_warehouse(pulled: World) -> None:
    pull(pulled)
    found = check(pulled)
    assert (found["awaited"], found["settled"], found["histories"]) == (1, 1, 0)
    assert check(pulled)["awaited"] == 0
    assert mails(pulled) == []


@contextmanager
def without_events(world: World) -> Iterator[None]:
    """The bucket tells nobody of what lands meanwhile: events are lost."""
    s3, bucket = world.stack.cloud.client("s3"), world.stack.bucket()
    told = s3.get_bucket_notification_configuration(Bucket=bucket)
    told.pop("ResponseMetadata", None)
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={}
    )
    try:
        yield
    finally:
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration=told
        )


def pull(world: World) -> None:
    world.move(world.now + timedelta(hours=1))
    world.send("flights")
    world.fabric.drain(world.now)


def test_a_lost_event_is_found_and_repaired_within_two_checks(pulled: World) -> None:
    check(pulled)
    with without_events(pulled):
        pull(pulled)
    assert not is_whole(pulled, "flights")

    first = check(pulled)
    assert (first["refreshed"], first["histories"]) == (1, 1)
    assert is_whole(pulled, "flights")
    second = check(pulled)
    assert second["settled"] == 1
    (mail,) = [one for one in mails(pulled) if one.subject.startswith("flights:")]
    assert "1 file that the pipe was not notified of" in mail.subject
    assert "[page]" not in mail.subject
    check(pulled)
    assert is_whole(pulled, "flights")
    assert mails(pulled) == []


@pytest.fixture
def catflap(
    pulled: World,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """The command line, at the time of the stack; what it ended with and printed."""
    access_key, secret_key = pulled.stack.cloud.administrator_keys()
    variables = {
        "AWS_ENDPOINT_URL": pulled.stack.cloud.endpoint_url,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "SNOWFLAKE_USER": PERSON,
        **pulled.stack.snowflake.environment(),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # set by the command if nobody has, as here; put back with the others
    monkeypatch.setenv("AWS_REGION", "")
    monkeypatch.delenv("AWS_REGION")
    folders = [
        "--datasets", str(pulled.root / "datasets"),
        "--apis", str(pulled.root / "apis"),
        "--environments", str(pulled.root / "environments"),
    ]  # fmt: skip

    def command(*arguments: str, user: str = PERSON) -> tuple[int, str, str]:
        monkeypatch.setenv("SNOWFLAKE_USER", user)
        monkeypatch.setenv("CATFLAP_NOW", pulled.now.isoformat())
        capfd.readouterr()
        code = run([*arguments, *folders])
        said = capfd.readouterr()
        pulled.fabric.drain(pulled.now)
        return code, said.out, said.err

    return command


Command = Callable[..., tuple[int, str, str]]


def test_replay_resumes_a_pipe_and_loads_what_waits(
    pulled: World, catflap: Command
) -> None:
    pulled.stack.set_pipe_paused("flights", is_paused=True)
    with without_events(pulled):
        pull(pulled)
    assert not is_whole(pulled, "flights")
    pulled.move(pulled.now + timedelta(minutes=1))
    code, out, _ = catflap("replay", "flights", "--json")
    assert code == 0
    (one,) = json.loads(out)["datasets"]
    assert (one["resumed"], one["refreshed"]) == (True, 1)
    assert is_whole(pulled, "flights")
    for _ in range(2):
        check(pulled)
    assert check(pulled)["awaited"] == 0


def test_a_paused_pipe_is_told_with_its_command_and_never_resumed(
    pulled: World,
) -> None:
    pull(pulled)
    check(pulled)
    mails(pulled)
    pulled.stack.set_pipe_paused("flights", is_paused=True)
    pull(pulled)
    found = check(pulled)
    assert found["troubles"] == 1
    (risk,) = mails(pulled)
    assert risk.audience == "engineers"
    assert "at risk" in risk.subject
    assert "catflap replay flights" in risk.body
    assert not is_whole(pulled, "flights")
    check(pulled)
    # it is said once
    assert [mail for mail in mails(pulled) if "loading:" in mail.subject] == []

    pulled.stack.set_pipe_paused("flights", is_paused=False)
    pulled.fabric.drain(pulled.now)
    assert is_whole(pulled, "flights")
    check(pulled)
    ends = {(one.audience, one.subject) for one in pulled.stack.topics.read()}
    assert ("engineers", "flights is up to date again") in ends
    assert check(pulled)["troubles"] == 0


def test_a_dropped_subscription_is_worked_around_and_told_until_it_is_mended(
    pulled: World,
) -> None:
    sns = pulled.stack.cloud.client("sns")
    mails(pulled)
    (gone,) = [
        one
        for page in sns.get_paginator("list_subscriptions").paginate()
        for one in page["Subscriptions"]
        if "sf-snowpipe" in one["Endpoint"]
    ]
    sns.unsubscribe(SubscriptionArn=gone["SubscriptionArn"])
    pull(pulled)
    found = check(pulled)
    assert (found["refreshed"], found["troubles"]) == (1, 1)
    assert is_whole(pulled, "flights")
    (page,) = [m for m in mails(pulled) if "is not subscribed" in m.body]
    assert page.subject.startswith("[page]")
    assert "72 hours" in page.body

    pull(pulled)
    check(pulled)
    check(pulled)
    assert is_whole(pulled, "flights")
    # nothing new is said while it stands
    assert [m for m in mails(pulled) if "flights" in m.subject] == []

    sns.subscribe(TopicArn=gone["TopicArn"], Protocol="sqs", Endpoint=gone["Endpoint"])
    for _ in range(3):
        check(pulled)
    told = [mail.subject for mail in mails(pulled)]
    assert any("is well again" in subject for subject in told), told


MADE, FIXED = 1_000_000, 2_000_000
"""Ids that no row of upstream has."""
PARTED = MADE + 5_000
BAD: dict[str, bytes] = {
    "an object has the same name twice": (
        b'{"id":%d,"time_hour":"2013-01-01T13:00:00Z","x":1,"x":2}'
    ),
    "NUL": b'{"id":%d,"time_hour":"2013-01-01T13:00:00Z","x":"a\\u0000b"}',
    "half of a surrogate pair": b'{"id":%d,"x":"\\ud83d","time_hour":null}',
}


def test_three_bad_rows_of_a_thousand_go_to_quarantine_and_the_rest_is_loaded(
    pulled: World,
) -> None:
    before = tables(pulled, "weather")
    mails(pulled)
    lines = [
        orjson.dumps({"id": MADE + number, "time_hour": "2013-01-01T13:00:00Z"})
        for number in range(1_000)
    ]
    for place, bad in zip((10, 500, 999), BAD.values(), strict=True):
        lines[place] = bad % (MADE + place)
    run_id = land(pulled, "weather", lines)
    assert tables(pulled, "weather") == before

    assert check(pulled)["landed_again"] == 1
    loaded = tables(pulled, "weather")
    assert len(loaded) == len(before) + 997
    second = check(pulled)
    assert second["settled"] >= 1, second
    told = [mail for mail in mails(pulled) if "refused" in mail.subject]
    (mail,) = told
    assert "weather: Snowflake refused 3 of 1,000 rows" in mail.subject
    for reason in BAD:
        assert reason in mail.body
    assert "catflap quarantine weather" in mail.body
    assert run_id in mail.body
    for _ in range(2):
        check(pulled)
    assert tables(pulled, "weather") == loaded
    assert [mail for mail in mails(pulled) if "weather" in mail.subject] == []


def test_the_quarantine_is_counted_and_shown(catflap: Command) -> None:
    code, out, err = catflap("quarantine", "weather", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert (document["waiting"], document["replayed"]) == (3, 0)
    assert sorted(one["rows"] for one in document["reasons"]) == [1, 1, 1]
    _, out, _ = catflap("quarantine", "weather")
    assert "3 rows in quarantine" in out
    assert str(MADE + 10) not in out  # no record stands in a list of reasons


def test_rows_that_would_be_refused_again_stay_in_quarantine(
    pulled: World, catflap: Command
) -> None:
    before = tables(pulled, "weather")
    code, out, _ = catflap("replay", "weather", "--quarantined")
    assert code == 1
    assert "would be refused again, and stay: 3 rows" in out
    assert tables(pulled, "weather") == before


def test_corrected_rows_are_replayed_once_and_make_it_a_thousand(
    pulled: World, catflap: Command, tmp_path: Path
) -> None:
    before = tables(pulled, "weather")
    _, out, _ = catflap("quarantine", "weather", "--rows")
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == 3
    fixed = tmp_path / "fixed.ndjson"
    for number, row in enumerate(rows):
        row["record"] = {"id": FIXED + number, "time_hour": "2013-01-01T13:00:00Z"}
    fixed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for landed_now in (3, 0):
        code, out, err = catflap("replay", "weather", "--fixed", str(fixed), "--json")
        assert code == 0, err
        (one,) = json.loads(out)["datasets"]
        assert sum(each["rows"] for each in one["replayed"]) == landed_now
    after = tables(pulled, "weather")
    assert len(after) == len(before) + 3
    # their run is that which pulled them: they win over nothing that is newer
    database = pulled.stack.project.environment.snowflake.database
    (runs,) = pulled.stack.warehouse(
        f"SELECT COUNT(DISTINCT _RUN_ID) FROM {database}.RAW.WEATHER "
        "WHERE _FILE LIKE '%-00001%' AND PAYLOAD:time_hour::VARCHAR = "
        "'2013-01-01T13:00:00Z' AND PAYLOAD:id::VARCHAR IN "
        f"('{FIXED}', '{FIXED + 1}', '{MADE}')"
    )
    assert runs == (1,)
    _, out, _ = catflap("quarantine", "weather", "--json")
    assert (json.loads(out)["waiting"], json.loads(out)["replayed"]) == (0, 3)
    found = check(pulled)
    assert found["settled"] == 1, found
    assert check(pulled)["awaited"] == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '{"quarantined": "nothing#1", "record": {}}',
            "is not a row in the quarantine",
        ),
        ('{"record": {}}', "fixed.ndjson:1:"),
        ('{"quarantined": "a#1", "record": {"a": 1, "a": 2}}', "refused again"),
        ("", "no row"),
    ],
)
def test_a_file_of_fixes_that_is_wrong_says_where(
    catflap: Command, tmp_path: Path, line: str, said: str
) -> None:
    file = tmp_path / "fixed.ndjson"
    file.write_text(line + "\n")
    code, _, err = catflap("replay", "weather", "--fixed", str(file))
    assert code == 2
    assert said in err


def make_pipe(world: World, dataset: str, before: str, after: str) -> None:
    """The pipe made anew by hand; its grants are given again."""
    snowflake = world.stack.project.environment.snowflake
    number = generation(world.stack.project.catalogue[dataset])
    pipe = names.pipe(snowflake.database, dataset, number)
    described = world.stack.warehouse(f"DESC PIPE {pipe}")[0]
    copy, topic = str(described[4]), str(described[6])
    assert before in copy
    for statement in (
        f"DROP PIPE {pipe}",
        f"CREATE PIPE {pipe} AUTO_INGEST = TRUE AWS_SNS_TOPIC = '{topic}' AS "
        + copy.replace(before, after),
        *access.pipe_grants(
            pipe,
            reader=snowflake.reader.role,
            repairer=snowflake.repair_login.role,
        ),
    ):
        world.stack.warehouse(statement)


SKIPS, CONTINUES = "ON_ERROR = SKIP_FILE", "ON_ERROR = CONTINUE"


def test_what_a_partial_load_left_out_is_loaded_once_and_the_refused_are_kept(
    pulled: World, catflap: Command
) -> None:
    check(pulled)
    before = tables(pulled, "weather")
    mails(pulled)
    make_pipe(pulled, "weather", SKIPS, CONTINUES)
    first = PARTED
    lines = [
        orjson.dumps({"id": first + number, "time_hour": "2013-01-01T13:00:00Z"})
        for number in range(100)
    ]
    for place, bad in zip((40, 41, 99), BAD.values(), strict=True):
        lines[place] = bad % (first + place)
    land(pulled, "weather", lines)
    # the pipe says that it ingested the file, and 57 good rows of it are not there
    assert len(tables(pulled, "weather")) == len(before) + 40

    found = check(pulled)
    assert (found["settled"], found["landed_again"]) == (0, 1), found
    assert len(tables(pulled, "weather")) == len(before) + 97
    assert check(pulled)["settled"] == 1
    good = [line for place, line in enumerate(lines) if place not in {40, 41, 99}]
    assert contents(tables(pulled, "weather")) == contents([*before, *good])
    (mail,) = [one for one in mails(pulled) if "refused" in one.subject]
    assert "Snowflake refused 3 of 100 rows" in mail.subject
    assert "[page]" not in mail.subject
    waiting = json.loads(catflap("quarantine", "weather", "--json")[1])["waiting"]
    assert waiting == 3

    # asked for by hand, over all that has landed: nothing is left, nothing lands twice
    loaded = tables(pulled, "weather")
    code, out, err = catflap("replay", "weather", "--json")
    assert code == 0, err
    assert json.loads(out)["datasets"][0]["troubles"] == []
    for _ in range(2):
        check(pulled)
    assert tables(pulled, "weather") == loaded
    make_pipe(pulled, "weather", CONTINUES, SKIPS)


def test_dead_pulls_are_queued_again_and_others_stay(
    pulled: World, catflap: Command
) -> None:
    sqs = pulled.stack.cloud.client("sqs")
    (dead,) = sqs.list_queues(QueueNamePrefix="catflap-dev-ingestion-DeadPulls")[
        "QueueUrls"
    ]
    for name in ("flights", "weather"):
        body = {"dataset": name, "reason": "schedule", "due_at": pulled.now.isoformat()}
        sqs.send_message(
            QueueUrl=dead,
            MessageBody=json.dumps(body),
            MessageGroupId=name,
            MessageDeduplicationId=f"{name}-dead",
        )
    pulls = pulled.stack.pulls()
    code, out, _ = catflap("replay", "flights", "--dead-letters", "--json")
    assert code == 0
    assert json.loads(out)["datasets"][0]["redriven"] == 1
    assert pulled.stack.pulls() == pulls + 1
    left = sqs.get_queue_attributes(
        QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert left["Attributes"]["ApproximateNumberOfMessages"] == "1"


def test_rows_that_were_loaded_twice_are_found_and_the_first_of_each_stays(
    pulled: World, catflap: Command
) -> None:
    database = pulled.stack.project.environment.snowflake.database
    table = f"{database}.RAW.FLIGHTS"
    code, out, _ = catflap("doubles", "flights")
    assert (code, out) == (0, "flights: no row was loaded twice\n")
    ((before,),) = pulled.stack.warehouse(f"SELECT COUNT(*) FROM {table}")
    pulled.stack.warehouse(
        f"INSERT INTO {table} SELECT * REPLACE (_LOADED_AT + INTERVAL '1 day' "
        f"AS _LOADED_AT) FROM {table} WHERE _ROW <= 2"
    )
    code, out, _ = catflap("doubles", "flights")
    assert code == 1
    assert "catflap doubles flights --env dev --yes" in out
    code, out, err = catflap("doubles", "flights", "--yes", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["doubles"] == told["removed"] > 0
    assert all(one["doubles"] == min(2, one["rows"]) for one in told["files"])
    after = pulled.stack.warehouse(
        f"SELECT COUNT(*), MAX(_LOADED_AT) < '2013-02-01' FROM {table}"
    )
    assert after == [(before, True)]


def test_one_persons_rows_are_erased_everywhere_and_others_stay(
    pulled: World, catflap: Command
) -> None:
    for _ in range(3):
        check(pulled)
    database = pulled.stack.project.environment.snowflake.database
    before = made(pulled)
    gone = {MADE + 77, FIXED}
    assert gone < set(before)
    s3, bucket = pulled.stack.cloud.client("s3"), pulled.stack.bucket()

    def everything() -> bytes:
        found = b""
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
        for page in pages:
            for item in page.get("Versions", []):
                body = s3.get_object(
                    Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"]
                )["Body"].read()
                found += gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        return found

    assert b"1000077" in everything()
    key = ("erase", "weather", "--key", str(MADE + 77), "--key", f'{{"id": {FIXED}}}')
    code, out, err = catflap(*key, "--json")
    assert (code, err) == (0, "")
    dry = json.loads(out)
    assert (dry["erased"], dry["landed_rows"], dry["table_rows"]) == (False, 3, 2)
    assert dry["quarantined_rows"] == 1  # the receipt of the corrected row
    assert made(pulled) == before

    code, out, _ = catflap(*key, "--yes", "--json")
    assert code == 0
    assert json.loads(out) == {**dry, "erased": True}
    assert b"1000077" not in everything()
    assert b"1000078" in everything()
    assert made(pulled) == [one for one in before if one not in gone]
    (row,) = pulled.stack.warehouse(
        f"SELECT COUNT(*) FROM {database}.ANALYTICS.WEATHER WHERE ID = {MADE + 77}"
    )
    assert row == (0,)

    # nothing comes back, and doing it again finds nothing
    catflap("replay", "weather")
    for _ in range(2):
        check(pulled)
    assert made(pulled) == [one for one in before if one not in gone]
    code, out, _ = catflap(*key, "--yes", "--json")
    again = json.loads(out)
    assert (again["landed_rows"], again["table_rows"], again["objects"]) == (0, 0, 0)
    _, out, _ = catflap("quarantine", "weather", "--json")
    assert json.loads(out)["replayed"] == 3

    records = LoadTable(
        dynamodb=pulled.stack.cloud.client("dynamodb"),
        table=pulled.function(PULL).environment["STATE_TABLE"],
    ).erasures("weather")
    first = records[0]
    assert (first.landed_rows, first.table_rows) == (3, 2)
    assert first.finished_at is not None
    assert "1000077" not in str(records)
