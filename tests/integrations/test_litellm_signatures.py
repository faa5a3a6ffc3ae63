"""The adapter's hooks can be called as the recorded version of LiteLLM calls its own."""

import inspect
import json

import pytest
from usher_litellm.hooks import UsherHooks

from tests.support.server import ROOT

RECORDED = json.loads((ROOT / "integrations/litellm/hook_signatures.json").read_text())["hooks"]


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_hook_takes_what_litellm_gives_by_name_and_in_order(name: str) -> None:
    signature = inspect.signature(getattr(UsherHooks, name))
    given = RECORDED[name]
    signature.bind(None, **dict.fromkeys(given))
    own = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ][1:]
    assert own == given[: len(own)]
