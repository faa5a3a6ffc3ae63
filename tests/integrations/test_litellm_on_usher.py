"""The adapter against the real application: what LiteLLM reports is what Usher books."""

from collections.abc import Mapping
from typing import Any

import pytest
from usher_litellm.refusals import RefusedError

from tests.support.cast import Organization, json_of
from tests.support.litellm_proxy import ANSWER, Proxy
from tests.support.till import Till


class Office:
    """An organization with Ada, who has a seat, and a proxy that speaks to the application."""

    def __init__(self, organization: Organization) -> None:
        self.till = Till(organization)
        self.user_id, _ = self.till.hire({"monthly": "50"})
        client = organization.app.test_client()
        self.name = json_of(organization.scim.get(f"/Users/{self.user_id}"))["userName"]

        def send(method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
            response = client.open(path, method=method, headers=dict(headers), data=body)
            return response.status_code, response.data

        self.proxy = Proxy(send, key=str(organization.api_with("spend:authorize").token))

    def spent(self) -> tuple[str, str]:
        (row,) = (row for row in self.till.effective(self.user_id) if row["window"] == "monthly")
        return row["settled_usd"], row["reserved_usd"]

    def refusal(self, **request: Any) -> RefusedError:
        with pytest.raises(RefusedError) as caught:
            self.proxy.run(lambda: self.proxy.begin(self.name, **request))
        return caught.value


@pytest.fixture
def office(acme: Organization) -> Office:
    return Office(acme)


def test_a_call_is_held_while_it_runs_and_booked_by_its_tokens(office: Office) -> None:
    proxy = office.proxy

    async def scene() -> None:
        request = await proxy.begin(office.name, headers={"X-Claude-Code-Session-Id": "s"})
        settled, reserved = office.spent()
        assert settled == "0"
        assert reserved != "0"
        await proxy.answer(request)

    proxy.run(scene)
    # Sonnet 4.6: 1,000 tokens in at $3 and 100 out at $15 a million.
    assert office.spent() == ("0.0045", "0")


def test_cached_tokens_are_booked_in_their_own_classes(office: Office) -> None:
    usage = {
        "prompt_tokens": 111_000,
        "completion_tokens": 0,
        "prompt_tokens_details": {
            "cached_tokens": 100_000,
            "cache_creation_tokens": 10_000,
            "cache_creation_token_details": {
                "ephemeral_5m_input_tokens": 4_000,
                "ephemeral_1h_input_tokens": 6_000,
            },
        },
    }

    async def scene() -> None:
        await office.proxy.answer(await office.proxy.begin(office.name), {"usage": usage})

    office.proxy.run(scene)
    # 1,000 new at $3, 100,000 read at $0.30, 4,000 written at $3.75 and 6,000 at $6 a million.
    assert office.spent() == ("0.084", "0")


def test_a_failed_call_frees_its_money(office: Office) -> None:
    async def scene() -> None:
        await office.proxy.fail(await office.proxy.begin(office.name), ValueError())

    office.proxy.run(scene)
    assert office.spent() == ("0", "0")


def test_a_long_stream_is_extended(office: Office) -> None:
    async def scene() -> None:
        request = await office.proxy.begin(office.name)
        office.proxy.hooks.extend(request["litellm_call_id"])
        await office.proxy.answer(request)

    office.proxy.run(scene)
    office.proxy.hooks._threads.shutdown()
    assert office.spent() == ("0.0045", "0")


def test_a_limit_that_is_reached_is_told(office: Office) -> None:
    refusal = office.refusal(max_tokens=10_000_000)
    assert refusal.code == "spend_limit_reached"
    assert "your monthly limit: $50 of $50 is left" in refusal.message
    assert "tokens still fits" in refusal.message


def test_somebody_who_left_is_refused_at_the_next_call_and_settled_for_the_last(office: Office) -> None:
    async def scene() -> str | None:
        request = await office.proxy.begin(office.name)
        running = office.proxy.hooks._running[request["litellm_call_id"]]
        office.till.organization.scim.set_active(office.user_id, False)
        await office.proxy.answer(request)
        return running.authorization_id

    last = office.proxy.run(scene)
    assert office.refusal().code == "user_inactive"
    assert json_of(office.till.gateway.get(f"/authorizations/{last}"))["state"] == "settled"


def test_a_model_and_a_surface_beyond_the_role_are_refused(office: Office) -> None:
    assert office.refusal(model="mystery").code == "unknown_price"
    assert office.refusal(metadata={"usher_surface": "cowork"}).code == "surface_not_allowed"


def test_a_stranger_is_refused(office: Office) -> None:
    office.name = "nobody@example.com"
    refusal = office.refusal()
    assert (refusal.status_code, refusal.code) == (403, "unknown_user")


def test_the_same_answer_settles_once(office: Office) -> None:
    async def scene() -> None:
        request = await office.proxy.begin(office.name)
        await office.proxy.answer(request)
        await office.proxy.answer(request, ANSWER)

    office.proxy.run(scene)
    assert office.spent() == ("0.0045", "0")
