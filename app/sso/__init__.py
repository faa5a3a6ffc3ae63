"""Part 2: single sign-on. SAML, domain capture, sessions; `saml/` is its pure message layer."""
