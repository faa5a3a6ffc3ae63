"""SAML 2.0 messages, pure: no Flask, no models, no clock of its own, nothing is fetched.

`response.verify` judges an answer, `metadata` reads and writes metadata, `authn_request` and `logout`
build and judge the other messages, `attributes` says what the claims mean. What is refused is refused
by one exception with one of a closed list of reasons (`reasons`).
"""
