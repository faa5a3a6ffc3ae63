"""The adapter against an Usher that is told what to answer, and one that does not answer."""

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from usher_litellm.hooks import EXTEND_AFTER_SECONDS, MOST_EXTENSIONS
from usher_litellm.refusals import RefusedError
from usher_litellm.settings import FailOpen, Settings, SettingsError

from tests.support.litellm_proxy import ANSWER, Proxy

LIMIT = {
    "code": "spend_limit_reached",
    "detail": "no",
    "scope": {"type": "user", "id": "user_1"},
    "window": "monthly",
    "resets_at": "2026-12-01T00:00:00Z",
    "amount_usd": "50",
    "remaining_usd": "0.5",
    "affordable_output_tokens": 321,
}
BOUNDS = FailOpen(usd=Decimal(5), minutes=Decimal(10), call_usd=Decimal(2))


class FakeUsher:
    """Allows everything, until it is told otherwise or goes down."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.keys: list[str | None] = []
        self.answers: dict[str, tuple[int, Any]] = {}
        self.is_down = False
        self.lost_answers = 0

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        assert method == "POST"
        if self.is_down:
            raise ConnectionRefusedError
        path = path.removeprefix("/api/v1")
        self.asked.append((path, json.loads(body) if body else None))
        self.keys.append(headers.get("Idempotency-Key"))
        if self.lost_answers:
            self.lost_answers -= 1
            raise ConnectionResetError
        granted = (201, {"id": f"auth_{len(self.asked)}"}) if path == "/authorizations" else (200, {})
        status, answer = self.answers.get(path, granted)
        return status, json.dumps(answer).encode()

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


class Timeout(Exception):  # noqa: N818 - LiteLLM's own name for it
    status_code = 408


class ProviderError(Exception):
    status_code = 529


class ConnectTimeout(Exception):  # noqa: N818 - httpx's own name for it
    pass


@pytest.fixture
def usher() -> FakeUsher:
    return FakeUsher()


def refused(proxy: Proxy, email: str | None = "ada@example.com", **request: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        proxy.run(lambda: proxy.begin(email, **request))
    return caught.value


def test_a_call_is_authorized_before_and_settled_after(usher: FakeUsher) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        await proxy.answer(await proxy.begin())

    proxy.run(scene)
    (asked, question), (settled, cost) = usher.asked
    assert asked == "/authorizations"
    assert (question["user"], question["model"], question["surface"]) == (
        {"user_name": "ada@example.com"},
        "claude-sonnet-4-6",
        "code",
    )
    assert question["estimate"]["output_tokens"] == 1_000
    assert settled == "/authorizations/auth_1/settle"
    assert (cost["usage"]["input_tokens"], cost["usage"]["output_tokens"]) == (1_000, 100)


def test_session_repository_and_feature_come_from_headers_in_any_case(usher: FakeUsher) -> None:
    headers = {
        "X-Claude-Code-Session-Id": "session-1",
        "x-usher-repository": "acme/web",
        "X-Usher-Feature": "review",
    }
    proxy = Proxy(usher)
    proxy.run(lambda: proxy.begin(headers=headers))
    asked = usher.asked[0][1]
    assert (asked["session_id"], asked["repository"], asked["feature"]) == ("session-1", "acme/web", "review")


def test_a_key_of_a_service_names_its_person_and_surface_in_its_metadata(usher: FakeUsher) -> None:
    proxy = Proxy(usher)
    proxy.run(lambda: proxy.begin(None, metadata={"usher_user": "user_7", "usher_surface": "chat"}))
    asked = usher.asked[0][1]
    assert (asked["user"], asked["surface"]) == ({"id": "user_7"}, "chat")


def test_metadata_of_a_person_s_own_key_makes_them_nobody_else(usher: FakeUsher) -> None:
    proxy = Proxy(usher)
    proxy.run(lambda: proxy.begin("ada@example.com", metadata={"usher_user": "bob@example.com"}))
    assert usher.asked[0][1]["user"] == {"user_name": "ada@example.com"}


def test_models_are_asked_for_by_the_price_book_s_names(usher: FakeUsher) -> None:
    proxy = Proxy(usher, models={"smart": "claude-opus-4-6"})

    async def scene() -> None:
        await proxy.begin(model="smart")
        await proxy.begin(model="anthropic/claude-haiku-4-5")

    proxy.run(scene)
    assert [question["model"] for _, question in usher.asked] == ["claude-opus-4-6", "claude-haiku-4-5"]


def test_a_limit_is_told_with_all_that_helps(usher: FakeUsher) -> None:
    usher.answers["/authorizations"] = (402, LIMIT)
    refusal = refused(Proxy(usher))
    assert (refusal.status_code, refusal.code) == (402, "spend_limit_reached")
    for part in ("your monthly limit", "$0.5 of $50", "2026-12-01T00:00:00Z", "321 tokens"):
        assert part in refusal.message


@pytest.mark.parametrize(
    ("status", "code", "shown"),
    [
        (403, "no_seat", 403),
        (403, "user_inactive", 403),
        (403, "model_not_allowed", 403),
        (404, "unknown_user", 403),
        (422, "unknown_price", 400),
        (401, "unauthenticated", 503),
        (403, "scope_missing", 503),
    ],
)
def test_each_refusal_reaches_the_client_with_a_status_it_understands(
    usher: FakeUsher, status: int, code: str, shown: int
) -> None:
    usher.answers["/authorizations"] = (status, {"code": code, "detail": "Because."})
    assert refused(Proxy(usher)).status_code == shown


def test_a_refusal_of_the_gateway_s_own_key_opens_nothing(usher: FakeUsher) -> None:
    usher.answers["/authorizations"] = (401, {"code": "unauthenticated"})
    assert refused(Proxy(usher, fail_open=BOUNDS)).code == "usher_key_refused"


def test_a_key_that_belongs_to_nobody_spends_nothing(usher: FakeUsher) -> None:
    assert refused(Proxy(usher), None).code == "no_person"
    assert usher.asked == []


@pytest.mark.parametrize("call_type", ["pass_through_endpoint", "acreate_batch", "_arealtime", "new_kind"])
def test_a_route_that_cannot_be_metered_is_closed(usher: FakeUsher, call_type: str) -> None:
    assert refused(Proxy(usher), call_type=call_type).code == "unmetered_route"


def test_a_route_that_asks_no_model_is_not_asked_about(usher: FakeUsher) -> None:
    proxy = Proxy(usher)
    proxy.run(lambda: proxy.begin(None, call_type="list_mcp_tools"))
    assert usher.asked == []


def test_the_id_of_a_running_call_buys_no_second_call_and_ends_no_first_one(usher: FakeUsher) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        first = await proxy.begin(litellm_call_id="mine")
        with pytest.raises(RefusedError) as caught:
            await proxy.begin(litellm_call_id="mine")
        assert caught.value.code == "call_id_in_use"
        await proxy.fail(first, caught.value)
        await proxy.answer(first)

    proxy.run(scene)
    assert usher.paths == ["/authorizations", "/authorizations/auth_1/settle"]


def test_the_id_of_an_ended_call_is_a_new_question(usher: FakeUsher) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        for _ in range(2):
            await proxy.answer(await proxy.begin(litellm_call_id="mine"))

    proxy.run(scene)
    keys = [key for path, key in zip(usher.paths, usher.keys, strict=True) if path == "/authorizations"]
    assert len(set(keys)) == 2


def test_a_lost_answer_is_asked_for_again_under_the_same_key(usher: FakeUsher) -> None:
    usher.lost_answers = 1
    proxy = Proxy(usher)
    proxy.run(proxy.begin)
    assert usher.paths == ["/authorizations"] * 2
    assert usher.keys[0] is not None
    assert usher.keys[0] == usher.keys[1]


@pytest.mark.parametrize("error", [ProviderError(), ValueError("a later hook refused")])
def test_a_call_that_cost_nothing_is_voided(usher: FakeUsher, error: Exception) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        await proxy.fail(await proxy.begin(), error)

    proxy.run(scene)
    assert usher.paths[1:] == ["/authorizations/auth_1/void"]


def test_a_call_that_never_reached_the_provider_is_voided(usher: FakeUsher) -> None:
    error = Timeout()
    error.__cause__ = ConnectTimeout()
    proxy = Proxy(usher)

    async def scene() -> None:
        await proxy.fail(await proxy.begin(), error)

    proxy.run(scene)
    assert usher.paths[1:] == ["/authorizations/auth_1/void"]


def test_a_call_that_may_have_cost_something_stays_held(usher: FakeUsher) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        await proxy.fail(await proxy.begin(), Timeout())

    proxy.run(scene)
    assert usher.paths == ["/authorizations"]


def test_an_answer_that_another_hook_refuses_is_settled_all_the_same(usher: FakeUsher) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        request = await proxy.begin()
        await proxy.open(request)
        await proxy.fail(request, ValueError("the answer is refused"))
        await proxy.answer(request)

    proxy.run(scene)
    assert usher.paths[1:] == ["/authorizations/auth_1/settle"]


def test_a_stream_that_has_begun_is_not_voided_by_its_failure(usher: FakeUsher) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        request = await proxy.begin(stream=True)
        await proxy.hooks.async_post_call_response_headers_hook(
            data=request, user_api_key_dict=None, response=object(), request_headers={}, litellm_call_info={}
        )
        await proxy.fail(request, ProviderError())

    proxy.run(scene)
    assert usher.paths == ["/authorizations"]


def test_an_answer_out_of_litellm_s_own_cache_is_free(usher: FakeUsher) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        await proxy.answer(await proxy.begin(), cache_hit=True)

    proxy.run(scene)
    assert usher.paths[1:] == ["/authorizations/auth_1/void"]


def test_another_model_s_answer_is_settled_by_its_cost(usher: FakeUsher) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        fallback = {"metadata": {"model_group": "claude-opus-4-6"}}
        await proxy.answer(await proxy.begin(), litellm_params=fallback, response_cost=0.25)

    proxy.run(scene)
    assert usher.asked[1][1] == {"cost_usd": "0.250000000"}


def test_a_success_is_settled_once(usher: FakeUsher) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        request = await proxy.begin()
        await proxy.answer(request)
        await proxy.answer(request)

    proxy.run(scene)
    assert len(usher.asked) == 2


def test_a_settlement_that_usher_did_not_hear_is_told_with_the_next_call(usher: FakeUsher) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        first = await proxy.begin()
        usher.is_down = True
        await proxy.answer(first)
        usher.is_down = False
        await proxy.answer(await proxy.begin())

    proxy.run(scene)
    proxy.hooks._threads.shutdown()
    assert sorted(usher.paths[2:]) == ["/authorizations/auth_1/settle", "/authorizations/auth_2/settle"]


def test_a_client_that_leaves_before_it_has_its_answer_leaves_nothing_held(usher: FakeUsher) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        asking = asyncio.create_task(proxy.begin())
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await proxy.answer(await proxy.begin())

    proxy.run(scene)
    proxy.hooks._threads.shutdown()
    voided = [path for path in usher.paths if path.endswith("/void")]
    assert len(voided) == 1


def test_a_long_call_is_extended_and_one_without_end_given_up(usher: FakeUsher) -> None:
    proxy = Proxy(usher)

    async def scene() -> None:
        request = await proxy.begin()
        running = proxy.hooks._running[request["litellm_call_id"]]
        for _ in range(MOST_EXTENSIONS + 2):
            timer = running.timer
            assert timer is not None
            assert timer.when() - asyncio.get_running_loop().time() > EXTEND_AFTER_SECONDS / 2
            timer.cancel()
            proxy.hooks.extend(request["litellm_call_id"])
        assert proxy.hooks._running == {}
        proxy.hooks._threads.shutdown()

    proxy.run(scene)
    assert usher.paths[1:] == ["/authorizations/auth_1/extend"] * MOST_EXTENSIONS


def test_without_usher_there_is_no_call(usher: FakeUsher) -> None:
    usher.is_down = True
    refusal = refused(Proxy(usher))
    assert (refusal.status_code, refusal.code) == (503, "usher_unreachable")


def test_a_server_error_of_usher_is_no_permission(usher: FakeUsher) -> None:
    usher.answers["/authorizations"] = (500, {"code": "internal_error"})
    assert refused(Proxy(usher)).code == "usher_unreachable"


def test_fail_open_ends_with_the_person_s_dollars(usher: FakeUsher) -> None:
    usher.is_down = True
    proxy = Proxy(usher, fail_open=BOUNDS)

    async def scene() -> None:
        await proxy.begin("ada@example.com")
        await proxy.begin("ada@example.com")
        with pytest.raises(RefusedError):
            await proxy.begin("ada@example.com")
        await proxy.begin("bob@example.com")

    proxy.run(scene)


def test_fail_open_counts_what_calls_really_cost(usher: FakeUsher) -> None:
    usher.is_down = True
    proxy = Proxy(usher, fail_open=BOUNDS)

    async def scene() -> None:
        for _ in range(4):
            await proxy.answer(await proxy.begin(), response_cost=0.75)
        await proxy.begin()
        with pytest.raises(RefusedError):
            await proxy.begin()

    proxy.run(scene)


def test_fail_open_gives_back_what_a_failed_call_held(usher: FakeUsher) -> None:
    usher.is_down = True
    proxy = Proxy(usher, fail_open=BOUNDS)

    async def scene() -> None:
        for _ in range(5):
            await proxy.fail(await proxy.begin(), ProviderError())

    proxy.run(scene)


def test_fail_open_ends_with_its_minutes_and_begins_anew_after_an_answer(usher: FakeUsher) -> None:
    usher.is_down = True
    proxy = Proxy(usher, fail_open=BOUNDS)
    proxy.run(proxy.begin)
    proxy.seconds = 601
    assert refused(proxy).code == "usher_unreachable"
    usher.is_down = False
    proxy.run(proxy.begin)
    usher.is_down = True
    proxy.run(proxy.begin)


def test_what_was_spent_without_usher_is_reported_when_it_is_back(usher: FakeUsher) -> None:
    usher.is_down = True
    proxy = Proxy(usher, fail_open=BOUNDS)

    async def scene() -> None:
        await proxy.answer(await proxy.begin(headers={"x-usher-repository": "acme/web"}), response_cost=0.1)
        usher.is_down = False
        await proxy.answer(await proxy.begin())

    proxy.run(scene)
    proxy.hooks._threads.shutdown()
    (event,) = next(body["events"] for path, body in usher.asked if path == "/usage_events")
    assert set(event) == {
        *("id", "user", "surface", "model", "repository", "feature", "session_id", "occurred_at", "usage")
    }
    assert (event["user"], event["repository"]) == ({"user_name": "ada@example.com"}, "acme/web")
    assert event["usage"]["output_tokens"] == ANSWER["usage"]["completion_tokens"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("URL", ""),
        ("KEY", ""),
        ("SURFACE", "phone"),
        ("MODELS", "[]"),
        ("FAIL_OPEN_USD", "5"),
        ("TIMEOUT_SECONDS", "0"),
        ("OUTPUT_TOKENS", "many"),
    ],
)
def test_a_setting_that_makes_no_sense_stops_the_start(name: str, value: str) -> None:
    sound = {"LITELLM_USHER_URL": "http://usher", "LITELLM_USHER_KEY": "key"}
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({**sound, f"LITELLM_USHER_{name}": value})


def test_both_bounds_open_what_is_closed_by_default() -> None:
    environment = {"LITELLM_USHER_URL": "http://usher/", "LITELLM_USHER_KEY": "key"}
    closed = Settings.from_environment(environment)
    assert (closed.url, closed.fail_open) == ("http://usher", None)
    bounds = {"LITELLM_USHER_FAIL_OPEN_USD": "5", "LITELLM_USHER_FAIL_OPEN_MINUTES": "10"}
    opened = Settings.from_environment({**environment, **bounds})
    assert opened.fail_open == FailOpen(Decimal(5), Decimal(10), Decimal(3))
