"""The hooks of LiteLLM's proxy: authorize before the call, settle or void after it.

Without an answer of Usher's there is no call, unless `FailOpen` says how many there may be. What Usher
could not be told is told later; what is lost with the process stays held and is booked in full
when its authorization expires.
"""

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from usher_litellm.allowance import Allowance
from usher_litellm.calls import FREE, METERED, call_of, may_have_cost, person_of, question
from usher_litellm.client import Answer, Client, UnreachableError
from usher_litellm.refusals import RefusedError, refusal
from usher_litellm.settings import Settings
from usher_litellm.usage import used

THREADS = 16
CREATED = 201
# Usher holds for 15 minutes and again for 15 at each extension; no call runs longer than all of them.
EXTEND_AFTER_SECONDS = 600.0
MOST_EXTENSIONS = 6
MOST_REPORTS = 10_000

_log = logging.getLogger("usher_litellm")


@dataclass
class Running:
    """A call between its two hooks; without an `authorization_id` it runs on the allowance."""

    authorization_id: str | None
    call: Mapping[str, Any]
    person: str
    model: str
    began_at: datetime
    answered: bool = False
    extensions: int = 0
    timer: asyncio.TimerHandle | None = None


@dataclass(frozen=True)
class Report:
    path: str
    body: Any


class UsherHooks:
    def __init__(
        self,
        settings: Settings,
        client: Client,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._client = client
        self._now = now
        self._allowance = Allowance(settings.fail_open, monotonic)
        self._threads = ThreadPoolExecutor(THREADS, "usher")
        self._running: dict[str, Running] = {}
        self._reports: deque[Report] = deque(maxlen=MOST_REPORTS)

    async def async_pre_call_hook(
        self,
        user_api_key_dict: Any,
        cache: Any,  # noqa: ARG002 - LiteLLM's signature
        data: dict[str, Any],
        call_type: str,
    ) -> None:
        """Hold the money of the call, or raise `RefusedError`."""
        if call_type in FREE:
            return
        person = person_of(user_api_key_dict)
        call_id = data.get("litellm_call_id")
        if call_type not in METERED or not data.get("model") or not call_id:
            raise RefusedError(403, "unmetered_route", "This gateway only passes what Usher can meter.")
        if person is None:
            raise RefusedError(
                403, "no_person", "This key belongs to nobody whose spending Usher could count."
            )
        # The client may choose the id of its call, so that it says nothing about what was paid for.
        if call_id in self._running:
            raise RefusedError(409, "call_id_in_use", "A call with this x-litellm-call-id is running.")
        call = call_of(user_api_key_dict, person, data, self._settings)
        running = Running(None, call, next(iter(person.values())), str(data["model"]), self._now())
        self._running[call_id] = running
        try:
            running.authorization_id = await self._authorize(running, data)
        except BaseException:
            del self._running[call_id]
            raise
        self._extend_later(call_id, running)

    async def async_post_call_response_headers_hook(
        self, data: dict[str, Any], user_api_key_dict: Any, response: object, **_: Any
    ) -> None:
        """A stream has begun: from here on the call has a cost."""
        del user_api_key_dict
        self._mark_answered(data, response)

    async def async_post_call_success_deployment_hook(
        self,
        request_data: dict[str, Any],
        response: object,
        call_type: Any,  # noqa: ARG002 - LiteLLM's signature
    ) -> None:
        """The model has answered: whatever refuses the answer afterwards, the call has a cost."""
        self._mark_answered(request_data, response)

    async def async_log_success_event(
        self, kwargs: Mapping[str, Any], response_obj: object, start_time: Any, end_time: Any
    ) -> None:
        """Settle; LiteLLM calls this at the end of streams too, also of those that the client left."""
        del start_time, end_time
        running = self._end(kwargs.get("litellm_call_id"))
        if running is None:
            return
        if kwargs.get("cache_hit"):
            await self._report_void(running)
            return
        cost = _cost(kwargs, running, response_obj)
        if cost is None:
            _log.warning("no usage of authorization %s; it will be booked in full", running.authorization_id)
        elif running.authorization_id is not None:
            await self._report(Report(f"/authorizations/{running.authorization_id}/settle", cost))
        else:
            event = {"id": str(uuid.uuid4()), "occurred_at": running.began_at.isoformat(), **running.call}
            self._allowance.settle(running.person, _usd(kwargs.get("response_cost")))
            await self._report(Report("/usage_events", {"events": [{**event, **cost}]}))

    async def async_post_call_failure_hook(
        self,
        request_data: dict[str, Any],
        original_exception: Exception,
        user_api_key_dict: Any,
        traceback_str: str | None = None,
    ) -> None:
        """Void what surely cost nothing; what may have a cost stays held until it is told or expires."""
        del user_api_key_dict, traceback_str
        call_id = request_data.get("litellm_call_id")
        running = self._running.get(call_id or "")
        # Who is refused because the id of a running call was used again must not end that call.
        if running is None or isinstance(original_exception, RefusedError) or running.answered:
            return
        self._end(call_id)
        if not may_have_cost(original_exception):
            await self._report_void(running)

    async def _authorize(self, running: Running, data: Mapping[str, Any]) -> str | None:
        """The authorization's id, or null when the call runs on the allowance."""
        body = question(running.call, data, self._settings)
        asked = self._threads.submit(self._client.post, "/authorizations", body, str(uuid.uuid4()))
        try:
            answer = await asyncio.shield(asyncio.wrap_future(asked))
        except asyncio.CancelledError:
            asked.add_done_callback(self._void_unwanted)
            raise
        except UnreachableError as error:
            if not self._allowance.take(running.person):
                _log.warning("refused: %s", error)
                raise RefusedError(
                    503, "usher_unreachable", "Nobody can say whether this may be spent. Try again soon."
                ) from error
            _log.warning("let pass for %s: %s", running.person, error)
            return None
        self._allowance.answered()
        if answer.status != CREATED:
            raise refusal(answer.status, answer.body)
        if self._reports:
            self._threads.submit(self._tell_waiting)
        return str(answer.body["id"])

    def _void_unwanted(self, asked: "Future[Answer]") -> None:
        """The client left before it had its answer."""
        if asked.exception() is None and asked.result().status == CREATED:
            path = f"/authorizations/{asked.result().body['id']}/void"
            self._threads.submit(self._tell, Report(path, None))

    def _extend_later(self, call_id: str, running: Running) -> None:
        if running.authorization_id is not None:
            loop = asyncio.get_running_loop()
            running.timer = loop.call_later(EXTEND_AFTER_SECONDS, self.extend, call_id)

    def extend(self, call_id: str) -> None:
        """Keep the money of a call that still runs; one that runs for ever is given up."""
        running = self._running.get(call_id)
        if running is None:
            return
        if running.extensions == MOST_EXTENSIONS:
            self._end(call_id)
            return
        running.extensions += 1
        report = Report(f"/authorizations/{running.authorization_id}/extend", None)
        self._threads.submit(self._tell, report)
        self._extend_later(call_id, running)

    def _mark_answered(self, data: Mapping[str, Any], response: object) -> None:
        running = self._running.get(data.get("litellm_call_id") or "")
        if running is not None and response is not None:
            running.answered = True

    def _end(self, call_id: str | None) -> Running | None:
        running = self._running.pop(call_id or "", None)
        if running is not None and running.timer is not None:
            running.timer.cancel()
        return running

    async def _report_void(self, running: Running) -> None:
        if running.authorization_id is None:
            self._allowance.settle(running.person, Decimal(0))
        else:
            await self._report(Report(f"/authorizations/{running.authorization_id}/void", None))

    async def _report(self, report: Report) -> None:
        await asyncio.wrap_future(self._threads.submit(self._tell, report))

    def _tell(self, report: Report) -> bool:
        """Whether Usher heard it; what it does not hear now, it hears after the next call's permission."""
        try:
            answer = self._client.post(report.path, report.body)
        except UnreachableError as error:
            self._reports.append(report)
            _log.warning("%s waits with %d others: %s", report, len(self._reports) - 1, error)
            return False
        if answer.status not in (200, CREATED):
            _log.error("Usher answers %s %s to %s", answer.status, dict(answer.body), report)
        return True

    def _tell_waiting(self) -> None:
        while self._reports:
            try:
                report = self._reports.popleft()
            except IndexError:
                return
            if not self._tell(report):
                return


def _cost(kwargs: Mapping[str, Any], running: Running, response: object) -> dict[str, Any] | None:
    """What the call used. If LiteLLM fell back to another model, what that cost by LiteLLM's own prices,
    because the authorization is priced as the model that was asked for.
    """
    metadata = (kwargs.get("litellm_params") or {}).get("metadata") or {}
    served = metadata.get("model_group") or running.model
    dollars = _usd(kwargs.get("response_cost"))
    usage = used(response)
    if usage is not None and (served == running.model or dollars is None):
        return {"usage": usage}
    return None if dollars is None else {"cost_usd": f"{dollars:f}"}


def _usd(cost: object) -> Decimal | None:
    """LiteLLM counts in floats; nine places are what Usher books."""
    if isinstance(cost, bool) or not isinstance(cost, int | float) or cost < 0:
        return None
    return Decimal(str(cost)).quantize(Decimal("0.000000001"))
