"""OpenID Connect as a relying party speaks it, pure: no Flask, no models, no clock of its own, no fetching.

`provider` reads discovery documents and `keys` key sets; `authorization` builds what goes to the provider,
`callback` and `token_answer` read what comes back, `id_token` and `logout_token` judge its tokens by one
verifier (`tokens`), and `profile` says what the claims mean. What is refused is refused by one exception
with one of a closed list of reasons (`reasons`).
"""
