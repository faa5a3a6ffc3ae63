output "metadata_url" {
  value       = okta_app_saml.usher.metadata_url
  description = "The connection's metadata_url in Usher."
}

output "app_id" {
  value       = okta_app_saml.usher.id
  description = "The app in Okta."
}

output "manual_steps" {
  description = "Okta has no API for the SCIM tab of a custom SAML app. These are clicks; apply does not undo them."
  value = [
    "General > App Settings > Edit > Provisioning: SCIM > Save",
    "Provisioning > Integration > Edit > SCIM connector base URL: ${var.scim_base_url}",
    "Unique identifier field for users: userName",
    "Supported provisioning actions: Push New Users, Push Profile Updates, Push Groups",
    "Authentication Mode: HTTP Header, with the token of usher scim-token create",
    "Test Connector Configuration > Save",
    "Provisioning > To App > Edit: Create Users, Update User Attributes, Deactivate Users > Save",
    "Then set pushed_group_ids and apply again.",
  ]
}
