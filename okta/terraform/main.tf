resource "okta_app_saml" "usher" {
  label                          = var.label
  sso_url                        = var.acs_url
  recipient                      = var.acs_url
  destination                    = var.acs_url
  audience                       = var.audience
  default_relay_state            = ""
  subject_name_id_template       = "$${user.userName}"
  subject_name_id_format         = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
  user_name_template             = "$${source.email}"
  user_name_template_type        = "BUILT_IN"
  user_name_template_push_status = "PUSH"
  response_signed                = true
  assertion_signed               = true
  signature_algorithm            = "RSA_SHA256"
  digest_algorithm               = "SHA256"
  honor_force_authn              = true
  authn_context_class_ref        = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"

  attribute_statements {
    type      = "EXPRESSION"
    name      = "email"
    namespace = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
    values    = ["user.email"]
  }

  attribute_statements {
    type      = "EXPRESSION"
    name      = "firstName"
    namespace = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
    values    = ["user.firstName"]
  }

  attribute_statements {
    type      = "EXPRESSION"
    name      = "lastName"
    namespace = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
    values    = ["user.lastName"]
  }

  attribute_statements {
    type      = "EXPRESSION"
    name      = "userId"
    namespace = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
    values    = ["user.id"]
  }

  attribute_statements {
    type         = "GROUP"
    name         = "groups"
    namespace    = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
    filter_type  = "STARTS_WITH"
    filter_value = "usher-"
  }
}

# One resource with all groups: with for_each on the resource itself a plan never settles.
resource "okta_app_group_assignments" "usher" {
  app_id = okta_app_saml.usher.id

  dynamic "group" {
    for_each = var.assigned_group_ids
    content {
      id = group.value
    }
  }
}

resource "okta_push_group" "usher" {
  for_each = toset(var.pushed_group_ids)

  app_id          = okta_app_saml.usher.id
  source_group_id = each.value
  status          = "ACTIVE"
  # A destroyed mapping must not take everybody's seat with it.
  delete_target_group_on_destroy = false
}
