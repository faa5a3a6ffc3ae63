"""The Terraform module: it parses, the provider has its arguments, and its values are those of the code."""

from typing import Any

import pytest
from set_up import manual_steps

from app.core.urls import PublicUrls
from app.sso.okta_values import okta_values
from tests.okta.terraform_module import Module, literal
from tests.support.server import ROOT

FOLDER = ROOT / "okta/terraform"
MODULE = Module.read(FOLDER)
APP = MODULE.resources["okta_app_saml"]["usher"]
VALUES = okta_values(PublicUrls("https://usher.example"), "00000000-0000-7000-8000-000000000001")


def statements() -> list[dict[str, Any]]:
    return [
        {name: literal(value) for name, value in one.items() if name != "__is_block__"}
        for one in APP["attribute_statements"]
    ]


def test_the_provider_takes_each_block_and_argument() -> None:
    assert list(MODULE.complaints()) == []
    assert MODULE.resources.keys() == {"okta_app_saml", "okta_app_group_assignments", "okta_push_group"}


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("sso_url  ", "sso_urls ", "okta_app_saml.usher has no argument sso_urls"),
        ("audience   ", "# ", "okta_app_saml.usher needs audience"),
        ("filter_value =", "filterValue =", "okta_app_saml.usher.attribute_statements has no argument"),
        ("response_signed                = true", 'response_signed = "yes"', "is a bool, not a string"),
        ("id = group.value", "group_id = group.value", "okta_app_group_assignments.usher.group needs id"),
        ("= var.label", "= var.name", "var.name does not exist"),
        ("= var.audience", "= var.pushed_group_ids", "is a string, not a list(string)"),
        ("okta_app_saml.usher.metadata_url", "okta_app_saml.usher.metadata_uri", "does not exist"),
        ("${var.scim_base_url}", "https://usher.example/scim/v2", "variable scim_base_url is unused"),
        ('"okta_push_group"', '"okta_group_push"', "there is no resource okta_group_push"),
    ],
)
def test_a_slip_in_the_module_is_found(right: str, wrong: str, complaint: str) -> None:
    texts = [path.read_text() for path in sorted(FOLDER.glob("*.tf"))]
    slipped = [text.replace(right, wrong) for text in texts]
    assert slipped != texts
    assert complaint in "\n".join(Module.parse(slipped).complaints())


def test_the_provider_is_the_one_whose_arguments_are_checked() -> None:
    (needed,) = MODULE.terraform["required_providers"]
    assert {name: literal(value) for name, value in needed["okta"].items()} == {
        "source": "okta/okta",
        "version": "~> 6.12",
    }


def test_each_variable_and_output_says_what_it_is() -> None:
    described = {**MODULE.variables, **MODULE.outputs}
    assert [name for name, body in described.items() if not literal(body.get("description"))] == []
    assert {"acs_url", "audience", "scim_base_url"} <= MODULE.variables.keys() & VALUES.keys()


def test_the_statements_are_those_of_the_code() -> None:
    unspecified = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
    plain = [
        {"type": "EXPRESSION", "name": one["name"], "namespace": unspecified, "values": [one["value"]]}
        for one in VALUES["attribute_statements"]
    ]
    groups = [
        {
            "type": "GROUP",
            "name": one["name"],
            "namespace": unspecified,
            "filter_type": one["filter"].replace(" ", "_").upper(),
            "filter_value": one["filter_value"],
        }
        for one in VALUES["group_attribute_statements"]
    ]
    assert statements() == plain + groups


def test_the_settings_are_those_of_the_code() -> None:
    settings = {name: literal(value) for name, value in APP.items()}
    assert [settings[name] for name in ("sso_url", "recipient", "destination")] == ["${var.acs_url}"] * 3
    assert settings["audience"] == "${var.audience}"
    assert settings["default_relay_state"] == VALUES["default_relay_state"]
    assert settings["subject_name_id_template"] == "${user.userName}"
    assert settings["subject_name_id_format"].rpartition(":")[2].lower() == VALUES["name_id_format"].lower()
    assert settings["user_name_template"] == f"${{source.{VALUES['application_username'].lower()}}}"
    assert (settings["user_name_template_push_status"], VALUES["update_application_username_on"]) == (
        "PUSH",
        "Create and update",
    )
    assert settings["signature_algorithm"].replace("_", "-") == VALUES["signature_algorithm"]
    assert settings["digest_algorithm"] == VALUES["digest_algorithm"]
    assert [settings["response_signed"], settings["assertion_signed"]] == [True, True]
    assert [VALUES["response"], VALUES["assertion_signature"]] == ["Signed", "Signed"]
    # No certificate of ours is given to Okta here, so it can encrypt nothing.
    assert VALUES["assertion_encryption"] == "Unencrypted"


def test_a_destroyed_push_leaves_the_group_and_its_seats() -> None:
    assert MODULE.resources["okta_push_group"]["usher"]["delete_target_group_on_destroy"] is False


def test_the_manual_steps_are_those_that_the_script_prints() -> None:
    told = literal(MODULE.outputs["manual_steps"]["value"])
    shown = [step.replace("${var.scim_base_url}", VALUES["scim_base_url"]) for step in told]
    assert shown == [*manual_steps(VALUES), "Then set pushed_group_ids and apply again."]
