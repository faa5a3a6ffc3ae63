// npm oidc-provider with two people, dynamic registration and its development pages; see oidc_provider.py.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const [issuer, pem, conform] = process.argv.slice(2);

const provider = new Provider(issuer, {
  // By the letter of OpenID Connect Core 5.4 the address is told at UserInfo only.
  conformIdTokenClaims: conform === "conform",
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: ["name"],
    groups: ["groups"],
  },
  scopes: ["openid", "email", "profile", "groups"],
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: `${id}@acme.example`,
      email_verified: true,
      name: id,
      groups: ["Sales", "Tools"],
    }),
  }),
  features: {
    backchannelLogout: { enabled: true },
    registration: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  pkce: { required: () => true },
  cookies: { keys: ["not-a-secret-of-anybody"] },
  // Its guard against addresses like this machine's sits in the dispatcher.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
});

const file = readFileSync(pem);
createServer({ key: file, cert: file }, provider.callback()).listen(new URL(issuer).port, "127.0.0.1");
