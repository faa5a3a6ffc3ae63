"""What LiteLLM's configuration names: `callbacks: usher_litellm.callback.handler`. The only module that
knows LiteLLM.
"""

import os

from litellm.integrations.custom_logger import CustomLogger

from usher_litellm.client import Client, Wire
from usher_litellm.hooks import UsherHooks
from usher_litellm.settings import Settings


class UsherHandler(UsherHooks, CustomLogger):
    """The hooks, as a class that LiteLLM accepts."""

    # LiteLLM looks for a hook in the class of the handler itself and passes over inherited ones.
    async_pre_call_hook = UsherHooks.async_pre_call_hook
    async_post_call_response_headers_hook = UsherHooks.async_post_call_response_headers_hook
    async_post_call_success_deployment_hook = UsherHooks.async_post_call_success_deployment_hook
    async_log_success_event = UsherHooks.async_log_success_event
    async_post_call_failure_hook = UsherHooks.async_post_call_failure_hook

    def __init__(self, settings: Settings) -> None:
        CustomLogger.__init__(self)
        UsherHooks.__init__(
            self, settings, Client(settings.key, Wire(settings.url, settings.timeout_seconds))
        )


handler = UsherHandler(Settings.from_environment(os.environ))
