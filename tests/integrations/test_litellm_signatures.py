"""The adapter's hooks can be called as the recorded version of LiteLLM calls its own."""

import importlib
import inspect
import json
import sys
from types import ModuleType

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


def test_litellm_finds_every_hook_in_the_handler_s_own_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM passes over inherited hooks: a handler without own ones would let everything pass."""
    library = ModuleType("litellm.integrations.custom_logger")
    monkeypatch.setattr(library, "CustomLogger", type("CustomLogger", (), {}), raising=False)
    for name in ("litellm", "litellm.integrations"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, library.__name__, library)
    monkeypatch.setenv("LITELLM_USHER_URL", "http://usher")
    monkeypatch.setenv("LITELLM_USHER_KEY", "key")
    handler = importlib.import_module("usher_litellm.callback").handler
    monkeypatch.delitem(sys.modules, "usher_litellm.callback")
    assert set(RECORDED) <= set(vars(type(handler)))
