"""Tokens of LiteLLM's requests and answers in Usher's five classes, each counted once."""

from types import SimpleNamespace
from typing import Any

import pytest
from usher_litellm.usage import TOKENS_PER_IMAGE, estimate, used

FIVE = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_creation_1h_input_tokens",
)
# One answer of Anthropic's: 20 new tokens, 100,000 read, 3,000 written for 5 minutes and 1,000 for an hour.
EXPECTED = (20, 500, 100_000, 3_000, 1_000)
ANTHROPIC = {
    "input_tokens": 20,
    "output_tokens": 500,
    "cache_read_input_tokens": 100_000,
    "cache_creation_input_tokens": 4_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 3_000, "ephemeral_1h_input_tokens": 1_000},
}
# The same as LiteLLM hands it on: the prompt's total includes what was read and written.
LITELLM = {
    "prompt_tokens": 104_020,
    "completion_tokens": 500,
    "total_tokens": 104_520,
    "cache_read_input_tokens": 100_000,
    "cache_creation_input_tokens": 4_000,
    "prompt_tokens_details": {
        "cached_tokens": 100_000,
        "cache_creation_tokens": 4_000,
        "cache_creation_token_details": {
            "ephemeral_5m_input_tokens": 3_000,
            "ephemeral_1h_input_tokens": 1_000,
        },
    },
}


def classes(usage: object) -> tuple[int, ...]:
    counted = used({"usage": usage})
    assert counted is not None
    assert tuple(counted) == FIVE
    return tuple(counted.values())


def as_object(value: Any) -> Any:
    """The same with attributes instead of keys, as LiteLLM's own classes have it."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(item) for name, item in value.items()})
    return value


@pytest.mark.parametrize("usage", [ANTHROPIC, LITELLM, as_object(ANTHROPIC), as_object(LITELLM)])
def test_the_same_answer_counts_the_same_in_either_shape(usage: object) -> None:
    assert classes(usage) == EXPECTED


def test_what_was_written_without_a_life_counts_as_five_minutes() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 7}
    assert classes(usage) == (1, 2, 0, 7, 0)


def test_what_was_written_is_known_by_its_lives_alone() -> None:
    details = {"cached_tokens": 0, "cache_creation_token_details": {"ephemeral_1h_input_tokens": 6}}
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": details}
    assert classes(usage) == (4, 2, 0, 0, 6)


def test_openai_s_own_count_of_cached_tokens_is_a_part_of_the_prompt() -> None:
    chat = {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
    responses = {"input_tokens": 10, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 4}}
    assert classes(chat) == classes(responses) == (6, 3, 4, 0, 0)


def test_a_prompt_smaller_than_its_cached_part_is_taken_as_what_was_not_cached() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "cache_read_input_tokens": 90}
    assert classes(usage) == (5, 1, 90, 0, 0)


def test_missing_numbers_are_none_at_all() -> None:
    usage = {"prompt_tokens": None, "completion_tokens": None, "prompt_tokens_details": None}
    assert classes(usage) == (0, 0, 0, 0, 0)


def test_an_answer_without_usage_has_none() -> None:
    assert used({"data": []}) is None
    assert used(None) is None


def test_the_estimate_covers_all_that_is_sent_and_all_that_may_come_back() -> None:
    data = {"system": "s" * 1_000, "messages": [{"role": "user", "content": "m" * 3_000}], "max_tokens": 700}
    bound = estimate(data, 32_000)
    assert 2_000 <= bound["input_tokens"] < 2_100
    assert bound["output_tokens"] == 700


def test_a_call_without_a_bound_has_the_one_of_the_settings_for_each_choice() -> None:
    assert estimate({"messages": [], "n": 3}, 100)["output_tokens"] == 300


def test_an_image_counts_by_its_screen_and_not_by_its_bytes() -> None:
    image = {"type": "image", "source": {"type": "base64", "data": "A" * 1_000_000}}
    data = {"messages": [{"role": "user", "content": [image, {"type": "text", "text": "What is it?"}]}]}
    bound = estimate(data, 1)["input_tokens"]
    assert TOKENS_PER_IMAGE < bound < TOKENS_PER_IMAGE + 100
