from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

import pytest

from cli.one_machine.environment_secrets import EnvironmentSecrets
from lambdas.adapters.refresh_tokens import CLAIM, CLAIM_LASTS, StoredTokens
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.sources.http_api import HttpApi
from lambdas.core.dataset import Api, ResponseAction
from lambdas.core.errors import RunErrorKind, Terminal, Transient
from lambdas.core.http.message import HttpRequest
from lambdas.core.ports import Secrets
from tests.api_pull import PlannedClock
from tests.api_server import Answer, ApiServer, Asked, answer_json, serving
from tests.secret_versions import SecretVersions, refused

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CLIENT = {"id": "the-client", "secret": "CANARY-client", "refresh": "CANARY-r1"}
OVER = CLAIM_LASTS.total_seconds()


class Rotating:
    """An API whose server takes a refresh token back as it gives the next one.

    `grace` tokens before the newest are still good.
    """

    def __init__(self, *, grace: int = 0, refuses_with: int = 401) -> None:
        self.given = ["CANARY-r1"]
        self.grace = grace
        self.access = ""
        self.token_requests: list[Mapping[str, str]] = []
        self.refuses_with = refuses_with
        self.rotates = True
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, asked: Asked) -> Answer:
        if asked.path != "/token":
            is_known = asked.headers.get("authorization") == f"Bearer {self.access}"
            return answer_json([{"id": 1}]) if is_known else self._refused()
        form = dict(parse_qsl(asked.body.decode()))
        self.token_requests.append(form)
        if form["refresh_token"] not in self.given[-1 - self.grace :]:
            return Answer(status=400, body=b'{"error": "invalid_grant"}')
        self.access = f"CANARY-a{len(self.token_requests)}"
        answer = {"access_token": self.access, "expires_in": 3600}
        if self.rotates:
            self.given.append(f"CANARY-r{len(self.given) + 1}")
            answer["refresh_token"] = self.given[-1]
        self.meanwhile()
        return answer_json(answer)

    def _refused(self) -> Answer:
        return Answer(status=self.refuses_with, body=b"expired")


def stored(client: SecretVersions) -> SecretsManagerSecrets:
    return SecretsManagerSecrets(client=lambda: cast("SecretsManagerClient", client))


class Asking:
    """Pulls of one API, each with a process of its own."""

    def __init__(self, server: ApiServer) -> None:
        self.url = server.url
        self.clock = PlannedClock()

    def http(self, secrets: Secrets, deadline_s: float = 90_000) -> HttpApi:
        auth = {
            "type": "oauth2_refresh_token",
            "access_token_url": f"{self.url}token",
            "client_id": "secret:cats#id",
            "client_secret": "secret:cats#secret",
            "refresh_token": "secret:cats#refresh",
        }
        api = {"base_url": self.url, "auth": auth, "retry": {"max_attempts": 1}}
        return HttpApi(
            api=Api.model_validate_json(json.dumps(api)),
            secrets=secrets,
            clock=self.clock,
            random=lambda: 0.0,
            deadline_s=deadline_s,
        )

    def asks(self, secrets: Secrets, *actions: ResponseAction) -> None:
        http = self.http(secrets)
        assert http.fetch(self.request, actions=actions) is not None

    @property
    def request(self) -> HttpRequest:
        return HttpRequest(method="GET", url=f"{self.url}cats", params={}, headers={})


def test_a_rotated_token_is_stored_and_the_old_one_stays_beside_it() -> None:
    api, vault = Rotating(), SecretVersions(**CLIENT, mine="kept")
    with serving(api) as server:
        Asking(server).asks(stored(vault))
    assert vault.current["refresh"] == "CANARY-r2"
    assert vault.current["mine"] == "kept"
    before = json.loads(vault.texts[vault.stages["AWSPREVIOUS"]])
    assert before["refresh"] == "CANARY-r1"


def test_the_next_pull_uses_the_access_token_that_is_stored() -> None:
    api, vault = Rotating(), SecretVersions(**CLIENT)
    with serving(api) as server:
        asking = Asking(server)
        asking.asks(stored(vault))
        asking.asks(stored(vault))
        assert len(api.token_requests) == 1
        asking.clock.sleep(3600)
        asking.asks(stored(vault))
    assert [one["refresh_token"] for one in api.token_requests] == [
        "CANARY-r1", "CANARY-r2",
    ]  # fmt: skip


def test_a_pull_killed_before_it_stored_leaves_the_old_token_to_try() -> None:
    api, vault = Rotating(grace=1), SecretVersions(**CLIENT)

    with serving(api) as server:
        asking = Asking(server)
        vault.fails = [KeyboardInterrupt()]
        with pytest.raises(KeyboardInterrupt):
            asking.asks(stored(vault))
        assert vault.current == CLIENT
        asking.clock.sleep(OVER)
        asking.asks(stored(vault))
    assert vault.current["refresh"] == "CANARY-r3"


def test_one_pull_renews_at_a_time_and_the_other_takes_what_it_stored() -> None:
    api, vault = Rotating(), SecretVersions(**CLIENT)
    first_ended, second_waits = Event(), Event()

    class Waiting(PlannedClock):
        def sleep(self, seconds: float) -> None:
            second_waits.set()
            first_ended.wait(60)
            super().sleep(seconds)

    with serving(api) as server:
        first, second = Asking(server), Asking(server)
        second.clock = Waiting()
        other = Thread(target=lambda: second.asks(stored(vault)))

        def meanwhile() -> None:
            other.start()
            second_waits.wait(60)

        api.meanwhile = meanwhile
        first.asks(stored(vault))
        first_ended.set()
        other.join(60)
    assert second.clock.slept == [1.0]
    assert len(api.token_requests) == 1


def test_whoever_waits_too_long_says_so_and_spends_no_token() -> None:
    api, vault = Rotating(), SecretVersions(**CLIENT)
    with serving(api) as server:
        asking = Asking(server)
        tokens = StoredTokens(
            client=cast("SecretsManagerClient", vault),
            name="cats", key="refresh", clock=asking.clock,
        )  # fmt: skip
        assert tokens._claims("v0")
        with pytest.raises(Transient, match="another pull is renewing"):
            asking.http(stored(vault), deadline_s=20).fetch(asking.request)
    assert api.token_requests == []


def test_a_dead_pulls_claim_is_over_after_a_while() -> None:
    api, vault = Rotating(), SecretVersions(**CLIENT)
    with serving(api) as server:
        asking = Asking(server)
        for _ in range(2):
            tokens = StoredTokens(
                client=cast("SecretsManagerClient", vault),
                name="cats", key="refresh", clock=asking.clock,
            )  # fmt: skip
            assert tokens._claims("v0")
            assert tokens._claims("v0"), "its own claim is no obstacle"
            asking.clock.sleep(OVER)
        asking.asks(stored(vault))
    assert vault.current["refresh"] == "CANARY-r2"
    assert CLAIM in vault.stages


def test_the_token_before_is_tried_when_the_newest_is_refused() -> None:
    api, vault = Rotating(), SecretVersions(**CLIENT)
    vault.put_secret_value(
        SecretId="cats",
        SecretString=json.dumps({**CLIENT, "refresh": "CANARY-never-valid"}),
    )
    with serving(api) as server:
        Asking(server).asks(stored(vault))
    assert vault.current["refresh"] == "CANARY-r2"


def test_no_token_is_spent_where_its_successor_could_not_be_stored() -> None:
    api, vault = Rotating(), SecretVersions(**CLIENT)
    vault.may_write = False
    with serving(api) as server, pytest.raises(Terminal, match="may not write") as no:
        Asking(server).asks(stored(vault))
    assert no.value.kind is RunErrorKind.AUTH
    assert "secretsmanager:PutSecretValue" in str(no.value)
    assert api.token_requests == []


def test_a_write_that_fails_is_tried_again() -> None:
    api, vault = Rotating(), SecretVersions(**CLIENT)
    vault.fails = [refused("ThrottlingException", "PutSecretValue")] * 2
    with serving(api) as server:
        Asking(server).asks(stored(vault))
    assert vault.current["refresh"] == "CANARY-r2"


def test_a_token_that_cannot_be_stored_fails_the_pull_without_showing_it() -> None:
    api, vault = Rotating(), SecretVersions(**CLIENT)
    vault.fails = [refused("InternalServiceError", "PutSecretValue")] * 9
    with serving(api) as server, pytest.raises(Terminal) as caught:
        Asking(server).asks(stored(vault))
    assert "could not be stored in `secret:cats#refresh`" in str(caught.value)
    assert "CANARY" not in str(caught.value)


def test_a_refused_refresh_token_says_where_the_next_one_goes() -> None:
    api, vault = Rotating(), SecretVersions(**{**CLIENT, "refresh": "CANARY-gone"})
    with serving(api) as server, pytest.raises(Terminal) as caught:
        Asking(server).asks(stored(vault))
    assert "authorize again, and store the new refresh token in `secret:cats#refr" in (
        str(caught.value)
    )
    assert len(api.token_requests) == 1, "a client that is known is not asked for again"
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403, 400])
def test_a_token_is_renewed_on_401_and_where_the_dataset_says_so(status: int) -> None:
    api, vault = Rotating(refuses_with=status), SecretVersions(**CLIENT)
    action = ResponseAction(status_code=status, action="renew")
    actions = () if status == 401 else (action,)
    with serving(api) as server:
        asking = Asking(server)
        asking.asks(stored(vault), *actions)
        api.access = "CANARY-another"
        asking.asks(stored(vault), *actions)
        assert len(api.token_requests) == 2
        api.access, api.rotates = "CANARY-another", False
        api.meanwhile = lambda: setattr(api, "access", "CANARY-never-given")
        with pytest.raises(Terminal) as caught:
            asking.asks(stored(vault), *actions)
    assert len(api.token_requests) == 3, "once a request"
    assert caught.value.kind is RunErrorKind.AUTH


def test_a_403_alone_renews_nothing() -> None:
    api, vault = Rotating(refuses_with=403), SecretVersions(**CLIENT)
    with serving(api) as server:
        asking = Asking(server)
        asking.asks(stored(vault))
        api.access = "CANARY-another"
        with pytest.raises(Terminal, match="answered 403"):
            asking.asks(stored(vault))
    assert len(api.token_requests) == 1


def test_a_variable_cannot_be_written_back_and_a_warning_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = Rotating()
    secrets = EnvironmentSecrets(
        variables={f"CATFLAP_SECRET_CATS_{k.upper()}": v for k, v in CLIENT.items()}
    )
    with serving(api) as server, caplog.at_level(logging.WARNING):
        asking = Asking(server)
        asking.asks(secrets)
        asking.asks(secrets)
        asking.clock.sleep(3600)
        asking.asks(secrets)
    assert [one["refresh_token"] for one in api.token_requests] == [
        "CANARY-r1", "CANARY-r2",
    ]  # fmt: skip
    assert "CATFLAP_SECRET_CATS_REFRESH cannot be written back" in caplog.text
    assert "CANARY" not in caplog.text
