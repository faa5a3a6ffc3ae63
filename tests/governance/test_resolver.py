"""The resolver: a pure function, so every rule of DESIGN 3.4 is one small case."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.governance.resolver import NOTHING, Ceiling, Entitlement, GroupMapping, Policy, Role, resolve

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ENGINEER = Role(
    "r1", "engineer", ("code", "chat"), ("opus",), ("connectors.install",), frozenset(), seat=True
)
WRITER = Role("r2", "writer", ("cowork",), None, ("plugins.install",), frozenset(), seat=True)
AUDITOR = Role("r3", "auditor", ("chat",), ("haiku",), ("admin.audit.view",), frozenset(), seat=False)
STRICT = Role("r4", "strict", (), (), (), frozenset({"chat", "connectors.install", "opus"}), seat=True)
MANAGER = Role("r5", "manager", (), (), ("admin.audit.manage",), frozenset(), seat=True)
BLIND = Role("r6", "blind", (), (), (), frozenset({"admin.audit.view"}), seat=True)
ROLES = {role.id: role for role in (ENGINEER, WRITER, AUDITOR, STRICT, MANAGER, BLIND)}


def policy(
    *pairs: tuple[str, Role],
    mode: str = "union",
    seat_on: str = "provision",
    ceiling: Ceiling = Ceiling(),  # noqa: B008 - a frozen value
) -> Policy:
    mappings = [
        GroupMapping(f"m{place}", place, group_id, role.id, seat_on)
        for place, (group_id, role) in enumerate(pairs, start=1)
    ]
    return Policy(mode, mappings, ROLES, NOW, ceiling)


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


def test_denying_to_view_denies_to_manage() -> None:
    found = resolve(policy(("g1", MANAGER), ("g2", BLIND)), frozenset({"g1", "g2"}), None)
    assert found.permissions == ()


def test_a_role_that_does_not_count_denies_nothing() -> None:
    found = resolve(policy(("g1", ENGINEER), ("g2", STRICT), mode="first"), frozenset({"g1", "g2"}), None)
    assert found.surfaces == ("chat", "code")


def test_a_deny_that_takes_something_is_a_reason_with_its_source() -> None:
    found = resolve(policy(("g1", ENGINEER), ("g2", STRICT)), frozenset({"g1", "g2"}), None)
    (denied,) = [reason for reason in found.reasons if reason.outcome == "denies"]
    assert denied.source is not None
    assert denied.source.group_id == "g2"
    assert denied.text == "its role 'strict' denies chat, connectors.install, opus"


def test_a_deny_that_takes_nothing_is_no_reason() -> None:
    found = resolve(policy(("g1", AUDITOR), ("g2", BLIND)), frozenset({"g2"}), None)
    assert [reason.outcome for reason in found.reasons] == ["decides"]


BOTH = frozenset({"g1", "g2"})


def capped(*pairs: tuple[str, Role], **lists: frozenset[str]) -> Entitlement:
    return resolve(policy(*pairs, ceiling=Ceiling(**lists)), BOTH, None)


def test_the_ceiling_takes_surfaces_and_permissions_that_are_not_in_it() -> None:
    found = capped(("g1", ENGINEER), surfaces=frozenset({"chat", "cowork"}), permissions=frozenset())
    assert (found.surfaces, found.permissions, found.models) == (("chat",), (), ("opus",))


def test_a_ceiling_over_listed_models_is_what_both_name() -> None:
    found = capped(("g1", ENGINEER), ("g2", AUDITOR), models=frozenset({"haiku", "sonnet"}))
    assert found.models == ("haiku",)


def test_a_ceiling_over_all_models_is_its_list_without_denied_ones() -> None:
    found = capped(("g1", WRITER), ("g2", STRICT), models=frozenset({"haiku", "opus"}))
    assert (found.models, found.denied_models) == (("haiku",), ())


def test_a_ceiling_that_lets_manage_lets_view() -> None:
    found = capped(("g1", AUDITOR), permissions=frozenset({"admin.audit.manage"}))
    assert found.permissions == ("admin.audit.view",)


def test_a_ceiling_that_lets_view_takes_manage() -> None:
    found = capped(("g1", MANAGER), permissions=frozenset({"admin.audit.view"}))
    assert found.permissions == ()


def test_the_ceiling_takes_no_seat_and_no_role() -> None:
    found = capped(("g1", ENGINEER), surfaces=frozenset(), models=frozenset(), permissions=frozenset())
    assert (found.role_id, found.wants_seat) == (ENGINEER.id, True)


def test_a_ceiling_that_takes_something_is_a_reason_without_a_source() -> None:
    found = capped(("g1", WRITER), surfaces=frozenset({"chat"}), models=frozenset({"haiku"}))
    (reason,) = [reason for reason in found.reasons if reason.outcome == "caps"]
    assert reason.source is None
    assert reason.text == "the organization's ceiling takes cowork and leaves of all models haiku"


def test_a_ceiling_above_everything_is_no_reason() -> None:
    found = capped(("g1", ENGINEER), surfaces=frozenset({"chat", "code"}))
    assert [reason.outcome for reason in found.reasons] == ["decides"]


NAMES = st.sampled_from(["code", "chat", "opus", "haiku", "admin.audit.view", "admin.audit.manage"])


@given(st.frozensets(NAMES), st.frozensets(NAMES), st.frozensets(NAMES))
def test_nobody_has_what_is_denied_or_above_the_ceiling(
    given_: frozenset[str], denied: frozenset[str], most: frozenset[str]
) -> None:
    role = Role("r", "r", tuple(given_), tuple(given_), tuple(given_), denied, seat=True)
    rules = Policy(
        "union", [GroupMapping("m", 1, "g1", "r", "provision")], {"r": role}, NOW, Ceiling(most, most, most)
    )
    found = resolve(rules, frozenset({"g1"}), None)
    for names in (found.surfaces, found.models or (), found.permissions):
        assert given_.issuperset(names)
        assert denied.isdisjoint(names)
    assert most.issuperset({*found.surfaces, *(found.models or ())})
    assert {name.replace("manage", "view") for name in found.permissions} <= {
        name.replace("manage", "view") for name in most
    }


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
