"""Blocks and arguments of version 6.12.0 of Terraform's provider okta/okta, from its reference."""

from dataclasses import dataclass, field

STRING, BOOLEAN, NUMBER, STRINGS, OBJECT = "string", "bool", "number", "list(string)", "object"


@dataclass(frozen=True)
class Kind:
    """`reads` are attributes that only come back; `blocks` stand inside, each any number of times."""

    arguments: dict[str, str]
    required: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    blocks: dict[str, "Kind"] = field(default_factory=dict)


def _types(names: str, kind: str = STRING) -> dict[str, str]:
    return dict.fromkeys(names.split(), kind)


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


APP_SAML = Kind(
    arguments={
        **_types(
            "accessibility_error_redirect_url accessibility_login_redirect_url admin_note app_links_json "
            "app_settings_json audience authentication_policy authn_context_class_ref default_relay_state "
            "destination digest_algorithm enduser_note idp_issuer inline_hook_id key_name label logo "
            "preconfigured_app recipient saml_version signature_algorithm single_logout_certificate "
            "single_logout_issuer single_logout_url sp_issuer sso_url status subject_name_id_format "
            "subject_name_id_template user_name_template user_name_template_push_status "
            "user_name_template_suffix user_name_template_type"
        ),
        **_types(
            "accessibility_self_service assertion_signed auto_submit_toolbar hide_ios hide_web "
            "honor_force_authn implicit_assignment request_compressed response_signed "
            "saml_signed_request_enabled skip_keys skip_metadata",
            BOOLEAN,
        ),
        "acs_endpoints": STRINGS,
        "key_years_valid": NUMBER,
    },
    # All but the label only for a custom app, which this is.
    required=_names(
        "label sso_url recipient destination audience subject_name_id_template subject_name_id_format "
        "signature_algorithm digest_algorithm authn_context_class_ref"
    ),
    reads=_names(
        "certificate embed_url entity_key entity_url features http_post_binding http_redirect_binding id "
        "key_id keys logo_url metadata metadata_url name sign_on_mode"
    ),
    blocks={
        "attribute_statements": Kind(
            {**_types("name type namespace filter_type filter_value"), "values": STRINGS},
            required=frozenset({"name"}),
        ),
        "acs_endpoints_indices": Kind({"url": STRING, "index": NUMBER}),
        "timeouts": Kind(_types("create read update")),
    },
)
APP_GROUP_ASSIGNMENTS = Kind(
    {"app_id": STRING},
    required=frozenset({"app_id"}),
    reads=frozenset({"id"}),
    blocks={
        "group": Kind(
            {"id": STRING, "priority": NUMBER, "profile": STRING},
            required=frozenset({"id"}),
        ),
        "timeouts": Kind(_types("create read update")),
    },
)
PUSH_GROUP = Kind(
    {
        **_types("app_id source_group_id target_group_id target_group_name status"),
        "delete_target_group_on_destroy": BOOLEAN,
        "app_config": OBJECT,
    },
    required=frozenset({"app_id", "source_group_id"}),
    reads=frozenset({"id"}),
)
RESOURCES = {
    "okta_app_saml": APP_SAML,
    "okta_app_group_assignments": APP_GROUP_ASSIGNMENTS,
    "okta_push_group": PUSH_GROUP,
}
# Words of the language itself, in any resource.
META_ARGUMENTS = frozenset({"for_each", "count", "depends_on", "provider", "lifecycle"})
