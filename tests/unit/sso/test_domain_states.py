"""The standing of a domain, step by step and along random histories."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.sso.domain_states import (
    ABSENT_CHECKS,
    ABSENT_FOR,
    DAILY_UNTIL,
    GRACE,
    Look,
    Owner,
    Standing,
    Step,
    after_look,
    after_others,
    next_look,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def standing(state: str = "pending", *, by_operator: bool = False) -> Standing:
    return Standing(state, by_operator, START, START, None, 0, None, None)


def test_a_claim_is_looked_at_within_minutes_then_hourly_then_daily_then_no_more() -> None:
    moments, now = [], START
    while (due := next_look(START, now)) is not None:
        moments.append(due - START)
        now = due
    minutes = [moment.total_seconds() / 60 for moment in moments[:6]]
    assert minutes == [1, 2, 5, 15, 60, 120]
    gaps = {later - earlier for earlier, later in itertools.pairwise(moments[5:])}
    assert gaps == {timedelta(hours=1), timedelta(days=1)}
    assert DAILY_UNTIL <= moments[-1] < DAILY_UNTIL + timedelta(days=1)


def test_absence_needs_three_looks_over_three_days_before_the_grace() -> None:
    current, now, states = standing("verified"), START, []
    while current.state == "verified":
        current, _ = after_look(current, Owner.US, Look.ABSENT, now)
        states.append((now - START, current.state))
        now = current.due_at or now
    assert [moment for moment, _ in states] == [ABSENT_FOR / 2 * n for n in range(ABSENT_CHECKS)]
    assert current.state_ends_at == START + ABSENT_FOR + GRACE


def test_many_looks_in_a_minute_begin_no_grace() -> None:
    current = standing("verified")
    for second in range(60):
        current, _ = after_look(current, Owner.US, Look.ABSENT, START + timedelta(seconds=second))
    assert current.state == "verified"


@given(st.lists(st.sampled_from([Look.UNKNOWN, Look.PUBLISHED, Look.PRESENT]), max_size=30))
def test_a_domain_whose_record_was_never_seen_to_be_absent_stays_verified(looks: list[Look]) -> None:
    current = standing("verified")
    for number, look in enumerate(looks):
        current, step = after_look(current, Owner.US, look, START + timedelta(days=number))
        assert (current.state, step) == ("verified", Step.NONE)


@given(st.lists(st.tuples(st.sampled_from(Look), st.floats(0.1, 400)), max_size=40))
def test_an_owner_without_a_dispute_never_loses_the_name(history: list[tuple[Look, float]]) -> None:
    current, now = standing("verified"), START
    for look, hours in history:
        now += timedelta(hours=hours)
        current, step = after_look(current, Owner.US, look, now)
        assert step is Step.NONE
        assert current.state in ("verified", "grace", "lapsed")
        assert current.due_at is not None
        assert current.due_at > now


@given(st.lists(st.tuples(st.sampled_from(Look), st.floats(0.1, 100)), max_size=40))
def test_a_disputed_owner_loses_the_name_only_by_absence_at_the_end(
    history: list[tuple[Look, float]],
) -> None:
    current, _ = after_others(standing("verified"), Owner.US, is_disputed=True, is_lapsed=False, now=START)
    ends_at, now = current.state_ends_at, START
    assert ends_at is not None
    for look, hours in history:
        now += timedelta(hours=hours)
        current, step = after_look(current, Owner.US, look, now)
        if step is Step.HAND_OVER:
            assert look is Look.ABSENT
            assert now >= ends_at
        if step is not Step.NONE:
            return
        assert current.state == "disputed"


def test_the_operators_word_is_not_taken_back_by_dns() -> None:
    proved, step = after_look(standing(by_operator=True), Owner.NOBODY, Look.PRESENT, START)
    assert (proved.state, proved.due_at, step) == ("verified", None, Step.TAKE)
    assert after_look(proved, Owner.US, Look.ABSENT, START)[0] == proved


def test_whoever_lost_a_dispute_begins_no_new_one_for_a_month() -> None:
    lost, _ = after_others(standing("disputed"), Owner.OTHERS, is_disputed=False, is_lapsed=False, now=START)
    assert after_look(lost, Owner.OTHERS, Look.PRESENT, START + timedelta(days=29))[1] is Step.NONE
    assert after_look(lost, Owner.OTHERS, Look.PRESENT, START + timedelta(days=30))[1] is Step.DISPUTE


def test_the_end_of_a_dispute_gives_a_lapsed_owner_no_proof() -> None:
    back, step = after_others(standing("disputed"), Owner.US, is_disputed=False, is_lapsed=True, now=START)
    assert (back.state, back.due_at, step) == ("lapsed", START, Step.NONE)
