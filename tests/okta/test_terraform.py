"""The Terraform module: arguments that the provider has, values that the code has."""

import re
from pathlib import Path

import pytest

from app.core.urls import PublicUrls
from app.sso.okta_values import okta_values
from tests.support.server import ROOT

MODULE = ROOT / "okta/terraform"
FILES = sorted(MODULE.glob("*.tf"))
# Argument names of version 6.12 of the provider, from its reference.
ARGUMENTS = {
    "okta_app_saml": {
        "label",
        "sso_url",
        "recipient",
        "destination",
        "audience",
        "default_relay_state",
        "subject_name_id_template",
        "subject_name_id_format",
        "user_name_template",
        "user_name_template_type",
        "user_name_template_push_status",
        "user_name_template_suffix",
        "response_signed",
        "assertion_signed",
        "signature_algorithm",
        "digest_algorithm",
        "honor_force_authn",
        "authn_context_class_ref",
        "attribute_statements",
        "acs_endpoints",
        "acs_endpoints_indices",
        "saml_signed_request_enabled",
        "single_logout_certificate",
        "single_logout_issuer",
        "single_logout_url",
        "key_name",
        "key_years_valid",
        "hide_web",
        "hide_ios",
        "authentication_policy",
        "implicit_assignment",
        "status",
        "preconfigured_app",
        "logo",
        "idp_issuer",
        "sp_issuer",
        "inline_hook_id",
    },
    "attribute_statements": {"type", "name", "namespace", "values", "filter_type", "filter_value"},
    "okta_app_group_assignments": {"app_id", "group"},
    "group": {"id", "priority", "profile"},
    "okta_push_group": {
        "app_id",
        "source_group_id",
        "target_group_id",
        "target_group_name",
        "delete_target_group_on_destroy",
        "status",
        "app_config",
    },
}
OF_THE_LANGUAGE = {"for_each", "count", "depends_on", "lifecycle"}
VALUES = okta_values(PublicUrls("https://usher.example"), "00000000-0000-7000-8000-000000000001")


def resources() -> dict[str, str]:
    """The body of each resource by its type."""
    text = (MODULE / "main.tf").read_text()
    return dict(re.findall(r'^resource "(\w+)" "\w+" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL))


def names(body: str, indent: int) -> set[str]:
    """What is set or opened at this depth of a body."""
    lead = " " * indent
    plain = re.findall(rf"^{lead}(\w+) *[={{]", body, re.MULTILINE)
    return {*plain, *re.findall(rf'^{lead}dynamic "(\w+)"', body, re.MULTILINE)}


def statements() -> list[dict[str, str]]:
    found = re.findall(r"attribute_statements \{\n(.*?)\n  \}", resources()["okta_app_saml"], re.DOTALL)
    return [dict(re.findall(r'^ +(\w+) += \[?"(.*?)"\]?$', statement, re.MULTILINE)) for statement in found]


def setting(name: str) -> str:
    found = re.search(rf"^  {name} += (.+)$", resources()["okta_app_saml"], re.MULTILINE)
    assert found
    return found[1].strip('"')


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_braces_and_quotes_are_balanced(path: Path) -> None:
    text = re.sub(r"^\s*#.*$", "", path.read_text(), flags=re.MULTILINE)
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    assert '"' not in bare
    assert [bare.count(pair[0]) - bare.count(pair[1]) for pair in ("{}", "[]", "()")] == [0, 0, 0]


@pytest.mark.parametrize("kind", ["okta_app_saml", "okta_app_group_assignments", "okta_push_group"])
def test_each_argument_is_one_that_the_provider_has(kind: str) -> None:
    found = names(resources()[kind], 2)
    assert found
    assert found - OF_THE_LANGUAGE - ARGUMENTS[kind] == set()


def test_nested_arguments_are_the_providers() -> None:
    for statement in statements():
        assert statement.keys() <= ARGUMENTS["attribute_statements"]
    assert names(resources()["okta_app_group_assignments"], 6) == {"id"}


def test_each_variable_is_declared_and_used() -> None:
    declared = set(re.findall(r'variable "(\w+)"', (MODULE / "variables.tf").read_text()))
    used = {name for path in FILES for name in re.findall(r"var\.(\w+)", path.read_text())}
    assert used == declared
    assert {"acs_url", "audience", "scim_base_url"} <= declared & VALUES.keys()


def test_the_statements_are_those_of_the_code() -> None:
    plain = [(one["name"], one["values"]) for one in statements() if one["type"] == "EXPRESSION"]
    assert plain == [(one["name"], one["value"]) for one in VALUES["attribute_statements"]]
    (groups,) = [one for one in statements() if one["type"] == "GROUP"]
    (wanted,) = VALUES["group_attribute_statements"]
    assert (groups["name"], groups["filter_value"]) == (wanted["name"], wanted["filter_value"])
    assert groups["filter_type"].replace("_", " ").lower() == wanted["filter"].lower()
    assert {one["namespace"].rpartition(":")[2] for one in statements()} == {"unspecified"}


def test_the_settings_are_those_of_the_code() -> None:
    assert [setting(name) for name in ("sso_url", "recipient", "destination")] == ["var.acs_url"] * 3
    assert setting("audience") == "var.audience"
    assert setting("default_relay_state") == VALUES["default_relay_state"]
    assert setting("subject_name_id_format").rpartition(":")[2].lower() == VALUES["name_id_format"].lower()
    assert setting("user_name_template") == f"$${{source.{VALUES['application_username'].lower()}}}"
    assert setting("signature_algorithm").replace("_", "-") == VALUES["signature_algorithm"]
    assert setting("digest_algorithm") == VALUES["digest_algorithm"]
    assert [setting("response_signed"), setting("assertion_signed")] == ["true", "true"]
    assert [VALUES["response"], VALUES["assertion_signature"]] == ["Signed", "Signed"]


def test_the_manual_steps_say_the_values_of_the_code() -> None:
    steps = (MODULE / "outputs.tf").read_text()
    for wanted in (", ".join(VALUES["features"]), ", ".join(VALUES["to_app"])):
        assert wanted in steps
    assert f"Unique identifier field for users: {VALUES['unique_field']}" in steps
    assert f"Authentication Mode: {VALUES['authentication_mode']}" in steps
