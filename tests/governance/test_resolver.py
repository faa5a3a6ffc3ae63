"""The resolver: a pure function, so every rule of DESIGN 3.4 is one small case."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.governance.resolver import NOTHING, GroupMapping, Policy, Role, resolve

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ENGINEER = Role(
    "r1", "engineer", ("code", "chat"), ("opus",), ("connectors.install",), frozenset(), seat=True
)
WRITER = Role("r2", "writer", ("cowork",), None, ("plugins.install",), frozenset(), seat=True)
AUDITOR = Role("r3", "auditor", ("chat",), ("haiku",), ("admin.audit.view",), frozenset(), seat=False)
STRICT = Role("r4", "strict", (), (), (), frozenset({"chat", "connectors.install", "opus"}), seat=True)
ROLES = {role.id: role for role in (ENGINEER, WRITER, AUDITOR, STRICT)}


def policy(*pairs: tuple[str, Role], mode: str = "union", seat_on: str = "provision") -> Policy:
    mappings = [
        GroupMapping(f"m{place}", place, group_id, role.id, seat_on)
        for place, (group_id, role) in enumerate(pairs, start=1)
    ]
    return Policy(mode, mappings, ROLES, NOW)


def test_who_is_in_no_mapped_group_has_nothing() -> None:
    assert resolve(policy(("g1", ENGINEER)), frozenset({"other"}), None) == NOTHING


def test_the_first_mapping_in_order_gives_the_role() -> None:
    found = resolve(policy(("g1", WRITER), ("g2", ENGINEER)), frozenset({"g1", "g2"}), None)
    assert found.role_id == WRITER.id


def test_union_adds_surfaces_permissions_and_models_of_all_matches() -> None:
    found = resolve(policy(("g1", ENGINEER), ("g2", WRITER)), frozenset({"g1", "g2"}), None)
    assert found.surfaces == ("chat", "code", "cowork")
    assert found.permissions == ("connectors.install", "plugins.install")
    assert found.models is None


def test_first_takes_everything_from_the_first_match() -> None:
    found = resolve(policy(("g1", ENGINEER), ("g2", WRITER), mode="first"), frozenset({"g1", "g2"}), None)
    assert (found.surfaces, found.models) == (("chat", "code"), ("opus",))
    assert [source.group_id for source in found.sources] == ["g1"]


def test_only_seat_giving_roles_contribute_surfaces() -> None:
    found = resolve(policy(("g1", AUDITOR), ("g2", WRITER)), frozenset({"g1", "g2"}), None)
    assert found.surfaces == ("cowork",)
    assert found.permissions == ("admin.audit.view", "plugins.install")
    assert [source.group_id for source in found.sources] == ["g2"]


def test_a_role_without_a_seat_wants_none() -> None:
    assert not resolve(policy(("g1", AUDITOR)), frozenset({"g1"}), None).wants_seat


def test_denies_win_over_what_any_role_allows() -> None:
    found = resolve(policy(("g1", ENGINEER), ("g2", STRICT)), frozenset({"g1", "g2"}), None)
    assert (found.surfaces, found.permissions, found.models) == (("code",), (), ())


def test_a_denied_model_is_kept_beside_all_models() -> None:
    found = resolve(policy(("g1", WRITER), ("g2", STRICT)), frozenset({"g1", "g2"}), None)
    assert found.models is None
    assert "opus" in found.denied_models


def test_a_seat_on_login_waits_for_the_sign_in() -> None:
    found = resolve(policy(("g1", ENGINEER), seat_on="login"), frozenset({"g1"}), None)
    assert (found.role_id, found.wants_seat) == (ENGINEER.id, False)


def test_a_manual_seat_counts_after_all_mappings() -> None:
    found = resolve(policy(("g1", ENGINEER)), frozenset({"g1"}), WRITER.id)
    assert found.role_id == ENGINEER.id
    assert [source.type for source in found.sources] == ["group", "manual"]


def test_a_manual_seat_is_not_lost_to_a_mapping_in_mode_first() -> None:
    found = resolve(policy(("g1", AUDITOR), mode="first"), frozenset({"g1"}), WRITER.id)
    assert found.role_id == AUDITOR.id
    assert [source.type for source in found.sources] == ["manual"]


def test_every_match_has_a_reason() -> None:
    found = resolve(policy(("g1", ENGINEER), ("g2", WRITER), mode="first"), frozenset({"g1", "g2"}), None)
    assert [reason.outcome for reason in found.reasons] == ["decides", "loses"]


@given(st.permutations(["g1", "g2", "g3"]), st.sampled_from(["union", "first"]))
def test_the_order_in_which_memberships_came_decides_nothing(order: list[str], mode: str) -> None:
    rules = policy(("g1", ENGINEER), ("g2", AUDITOR), ("g3", WRITER), mode=mode)
    assert resolve(rules, frozenset(order), None) == resolve(rules, frozenset({"g1", "g2", "g3"}), None)
