"""Part 2b: the OpenID Provider that registered applications sign people in by, OAuth 2.0 code flow only."""
