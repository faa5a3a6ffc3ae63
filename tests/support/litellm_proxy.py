"""LiteLLM's proxy as the adapter sees it: one call after the other, by the hooks' recorded names."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

from usher_litellm.client import Client, Send
from usher_litellm.hooks import UsherHooks
from usher_litellm.settings import Settings

ANSWER = {"usage": {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}}
_numbers = itertools.count(1)


class Proxy:
    """Calls are made inside `run`, because the hooks live in an event loop."""

    def __init__(self, send: Send, **settings: Any) -> None:
        self.seconds = 0.0
        known = Settings(url="", key=settings.pop("key", "key"), **settings)
        client = Client(known.key, send, sleep=lambda _seconds: None)
        self.hooks = UsherHooks(known, client, monotonic=lambda: self.seconds)

    def run(self, scene: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run(scene())

    async def begin(
        self,
        email: str | None = "ada@example.com",
        *,
        call_type: str = "anthropic_messages",
        metadata: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **data: Any,
    ) -> dict[str, Any]:
        """A request that passes; answers its data."""
        key = SimpleNamespace(user_email=email, metadata=metadata or {})
        request = {
            "model": "claude-sonnet-4-6",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 1_000,
            "litellm_call_id": f"call-{next(_numbers)}",
            "proxy_server_request": {"headers": headers or {}},
            **data,
        }
        await self.hooks.async_pre_call_hook(
            user_api_key_dict=key, cache=None, data=request, call_type=call_type
        )
        return request

    async def answer(self, request: dict[str, Any], response: Any = ANSWER, **kwargs: Any) -> None:
        """The model answers, and LiteLLM logs the success."""
        await self.open(request, response)
        known = {"litellm_call_id": request["litellm_call_id"], "response_cost": 0.0045, **kwargs}
        await self.hooks.async_log_success_event(known, response, None, None)

    async def open(self, request: dict[str, Any], response: Any = ANSWER) -> None:
        await self.hooks.async_post_call_success_deployment_hook(request, response, None)

    async def fail(self, request: dict[str, Any], error: Exception) -> None:
        await self.hooks.async_post_call_failure_hook(
            request_data=request, original_exception=error, user_api_key_dict=None, traceback_str=None
        )
