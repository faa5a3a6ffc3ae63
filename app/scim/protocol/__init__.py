"""SCIM 2.0 as pure functions: names, filters, PATCH, projection, messages and discovery.

Knows RFC 7643 and RFC 7644 and the vendors' habits; must not know Flask, models or settings.
"""
