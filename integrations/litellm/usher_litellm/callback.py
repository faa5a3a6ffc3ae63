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

    def __init__(self, settings: Settings) -> None:
        CustomLogger.__init__(self)
        UsherHooks.__init__(
            self, settings, Client(settings.key, Wire(settings.url, settings.timeout_seconds))
        )


handler = UsherHandler(Settings.from_environment(os.environ))
