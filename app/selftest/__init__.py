"""Plays an identity provider's conversation against the running service, with throw-away users.

`steps` says what a step and an expectation are, `okta`, `entra` and `validator` are the vendors'
scripts as data, `player` plays them over `http` and cleans up. It talks to the service as any
stranger does, so it must not know the parts behind the URL.
"""
