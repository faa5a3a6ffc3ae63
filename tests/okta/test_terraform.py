"""The Terraform module: it parses, the provider has its arguments, and its values are those of the code."""

import pytest
from set_up import manual_steps, wanted_app

from app.core.urls import PublicUrls
from app.sso.okta_values import okta_values
from tests.okta.terraform_module import Module, literal
from tests.support.server import ROOT

FOLDER = ROOT / "okta/terraform"
MODULE = Module.read(FOLDER)
APP = MODULE.resources["okta_app_saml"]["usher"]
# What the API calls the arguments of the module.
IN_THE_API = {
    "sso_url": "ssoAcsUrl",
    "recipient": "recipient",
    "destination": "destination",
    "audience": "audience",
    "default_relay_state": "defaultRelayState",
    "subject_name_id_template": "subjectNameIdTemplate",
    "subject_name_id_format": "subjectNameIdFormat",
    "response_signed": "responseSigned",
    "assertion_signed": "assertionSigned",
    "signature_algorithm": "signatureAlgorithm",
    "digest_algorithm": "digestAlgorithm",
    "honor_force_authn": "honorForceAuthn",
    "authn_context_class_ref": "authnContextClassRef",
}
IN_STATEMENTS = {"filter_type": "filterType", "filter_value": "filterValue"}
USER_NAME = {
    "user_name_template": "template",
    "user_name_template_type": "type",
    "user_name_template_push_status": "pushStatus",
}
BLOCK = "__is_block__"
VALUES = okta_values(PublicUrls("https://usher.example"), "00000000-0000-7000-8000-000000000001")


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


def test_the_module_makes_the_app_that_the_script_makes() -> None:
    given = {"${var.acs_url}": VALUES["acs_url"], "${var.audience}": VALUES["audience"]}
    said = {name: given.get(value, literal(value)) for name, value in APP.items() if name in IN_THE_API}
    assert said.keys() == IN_THE_API.keys()
    wanted = wanted_app(VALUES, "Usher")
    sign_on = wanted["settings"]["signOn"]
    statements = sign_on.pop("attributeStatements")
    assert {IN_THE_API[name]: value for name, value in said.items()} == sign_on
    assert [
        {IN_STATEMENTS.get(name, name): literal(value) for name, value in one.items() if name != BLOCK}
        for one in APP["attribute_statements"]
    ] == statements
    user_name = wanted["credentials"]["userNameTemplate"]
    assert [literal(APP[name]) for name in USER_NAME] == [user_name[name] for name in USER_NAME.values()]


def test_the_app_is_that_of_the_code() -> None:
    """The script takes each value from the code, in the words of the API instead of the screens."""
    sign_on = wanted_app(VALUES, "Usher")["settings"]["signOn"]
    assert sign_on["ssoAcsUrl"] == sign_on["recipient"] == sign_on["destination"] == VALUES["acs_url"]
    assert sign_on["subjectNameIdFormat"].rpartition(":")[2].lower() == VALUES["name_id_format"].lower()
    assert sign_on["signatureAlgorithm"] == VALUES["signature_algorithm"].replace("-", "_")
    assert (sign_on["responseSigned"], sign_on["assertionSigned"]) == (True, True)
    assert (VALUES["response"], VALUES["assertion_signature"]) == ("Signed", "Signed")
    # No certificate of ours is given to Okta here, so it can encrypt nothing.
    assert VALUES["assertion_encryption"] == "Unencrypted"
    assert VALUES["update_application_username_on"] == "Create and update"
    *plain, groups = sign_on["attributeStatements"]
    assert {one["name"]: one["values"] for one in plain} == {
        one["name"]: [one["value"]] for one in VALUES["attribute_statements"]
    }
    (wanted,) = VALUES["group_attribute_statements"]
    assert (groups["name"], groups["filterType"], groups["filterValue"]) == (
        wanted["name"],
        "STARTS_WITH",
        wanted["filter_value"],
    )
    assert wanted["filter"] == "Starts with"


def test_a_destroyed_push_leaves_the_group_and_its_seats() -> None:
    assert MODULE.resources["okta_push_group"]["usher"]["delete_target_group_on_destroy"] is False


def test_the_manual_steps_are_those_that_the_script_prints() -> None:
    told = literal(MODULE.outputs["manual_steps"]["value"])
    shown = [step.replace("${var.scim_base_url}", VALUES["scim_base_url"]) for step in told]
    assert shown == [*manual_steps(VALUES), "Then set pushed_group_ids and apply again."]
