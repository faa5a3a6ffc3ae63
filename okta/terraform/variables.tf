variable "label" {
  type        = string
  default     = "Usher"
  description = "The app's name in Okta."
}

# Both are printed by `usher okta values`: before there is a connection placeholder_url, then acs_url and audience.
variable "acs_url" {
  type        = string
  description = "Single sign-on URL: acs_url of `usher okta values`; placeholder_url on the first apply."
}

variable "audience" {
  type        = string
  description = "Audience URI: audience of `usher okta values`; placeholder_url on the first apply."
}

variable "scim_base_url" {
  type        = string
  description = "Base URL: scim_base_url of `usher okta values`; only shown in the manual steps."
}

variable "assigned_group_ids" {
  type        = list(string)
  description = "Groups whose people get the app. Not the ones to push."
}

variable "pushed_group_ids" {
  type        = list(string)
  default     = []
  description = "Groups to push. Leave empty until the manual steps in the outputs are done."
}
