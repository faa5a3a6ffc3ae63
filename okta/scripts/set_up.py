r"""Set Usher up in Okta: the SAML app, its assignments and, once provisioning is on, group push.

    usher okta values --org acme --json > values.json
    python okta/scripts/set_up.py --okta-url https://acme.okta.com --client-id 0oa... \
        --key-file service-app.pem --values values.json --assign "Usher users" --push usher-engineering --plan

`--plan` reads and says what `--apply` would do. Running it again does nothing that is done already, and goes
on where it was stopped. Okta has no API for the SCIM tab of a custom app: those steps are printed.
Exit codes: 0 done, 1 refused, 2 wrong options.
"""

import argparse
import copy
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from okta_api import Okta, OktaError, Pause

READ = ["okta.apps.read", "okta.groups.read"]
WRITE = ["okta.apps.manage", "okta.groups.read"]
# Okta asks for this one to push a group, and for nothing else here.
PUSH = "okta.groups.manage"
UNSPECIFIED = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
NAME_ID_FORMATS = {"EmailAddress": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"}
USER_NAMES = {"Email": "${source.email}"}
CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
# What Okta computes itself or does not take back.
NOT_SENT = ("_links", "_embedded", "created", "lastUpdated", "id", "status")


def wanted_app(values: dict[str, Any], label: str) -> dict[str, Any]:
    """The app as Okta's API has it, from what `usher okta values --json` printed."""
    acs_url = values["acs_url"] or values["placeholder_url"]
    attributes = [
        {"type": "EXPRESSION", "name": one["name"], "namespace": UNSPECIFIED, "values": [one["value"]]}
        for one in values["attribute_statements"]
    ]
    groups = [
        {
            "type": "GROUP",
            "name": one["name"],
            "namespace": UNSPECIFIED,
            "filterType": one["filter"].upper().replace(" ", "_"),
            "filterValue": one["filter_value"],
        }
        for one in values["group_attribute_statements"]
    ]
    sign_on = {
        "ssoAcsUrl": acs_url,
        "recipient": acs_url,
        "destination": acs_url,
        "audience": values["audience"] or values["placeholder_url"],
        "defaultRelayState": values["default_relay_state"],
        "subjectNameIdTemplate": "${user.userName}",
        "subjectNameIdFormat": NAME_ID_FORMATS[values["name_id_format"]],
        "responseSigned": values["response"] == "Signed",
        "assertionSigned": values["assertion_signature"] == "Signed",
        "signatureAlgorithm": values["signature_algorithm"].replace("-", "_"),
        "digestAlgorithm": values["digest_algorithm"],
        "honorForceAuthn": True,
        "authnContextClassRef": CONTEXT,
        "attributeStatements": attributes + groups,
    }
    user_name = {
        "template": USER_NAMES[values["application_username"]],
        "type": "BUILT_IN",
        "pushStatus": "PUSH",
    }
    return {
        "label": label,
        "signOnMode": "SAML_2_0",
        "credentials": {"userNameTemplate": user_name},
        "settings": {"signOn": sign_on},
    }


class SetUp:
    """Each step says what it does, and does it only when `applies`."""

    def __init__(self, okta: Okta, *, applies: bool) -> None:
        self._okta = okta
        self._applies = applies

    def app(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        """The app; null when it is only planned."""
        label = wanted["label"]
        same = [app for app in self._okta.all("/api/v1/apps", q=label, limit=200) if app["label"] == label]
        if len(same) > 1:
            raise OktaError(f"There are {len(same)} apps called {label!r}; choose another --label.")
        if not same:
            return self._do(f"create the app {label!r}", "POST", "/api/v1/apps", wanted)
        (present,) = same
        if present["signOnMode"] != wanted["signOnMode"]:
            raise OktaError(f"The app {label!r} is no SAML 2.0 app; choose another --label.")
        if present["status"] != "ACTIVE":
            raise OktaError(f"The app {label!r} is deactivated; activate it in Okta, or delete it.")
        changed = list(_differences(wanted, present))
        if not changed:
            _say(f"= the app {label!r} is as wanted")
            return dict(present)
        # All of the app goes back, so that what was clicked on its SCIM tab stays.
        body = _merged({name: present[name] for name in present if name not in NOT_SENT}, wanted)
        what = f"change {', '.join(changed)} of the app {label!r}"
        self._do(what, "PUT", f"/api/v1/apps/{present['id']}", body)
        return dict(present)

    def assignments(self, app_id: str | None, groups: dict[str, str]) -> None:
        path = f"/api/v1/apps/{app_id}/groups"
        present = {one["id"] for one in self._okta.all(path, limit=200)} if app_id else set()
        for name, group_id in groups.items():
            if group_id in present:
                _say(f"= {name!r} is assigned")
            else:
                self._do(f"assign {name!r}", "PUT", f"{path}/{group_id}", {})

    def pushes(self, app: dict[str, Any] | None, groups: dict[str, str]) -> None:
        """Needs the SCIM tab; before that it is left for the next run."""
        if groups and (app is None or "GROUP_PUSH" not in app.get("features", [])):
            _say("! groups are pushed once the SCIM tab is filled in; then run this again")
            return
        if app is None or not groups:
            return
        path = f"/api/v1/apps/{app['id']}/group-push/mappings"
        states = {one["sourceGroupId"]: one["status"] for one in self._okta.all(path, limit=200)}
        for name, group_id in groups.items():
            if states.get(group_id) == "ACTIVE":
                _say(f"= {name!r} is pushed")
            elif group_id in states:
                _say(f"! {name!r} is pushed, but its status is {states[group_id]}: see Push Groups in Okta")
            else:
                body = {"sourceGroupId": group_id, "targetGroupName": name}
                self._do(f"push {name!r}", "POST", path, body)

    def group_ids(self, names: list[str]) -> dict[str, str]:
        found = {}
        for name in names:
            same = [
                group
                for group in self._okta.all("/api/v1/groups", q=name, limit=200)
                if group["profile"]["name"] == name
            ]
            if len(same) != 1:
                raise OktaError(f"There are {len(same)} groups called {name!r} in Okta; one is needed.")
            found[name] = str(same[0]["id"])
        return found

    def metadata_url(self, org_url: str, app: dict[str, Any]) -> str:
        """The public address, which needs no token."""
        kid = app["credentials"]["signing"]["kid"]
        xml = self._okta.text(f"/api/v1/apps/{app['id']}/sso/saml/metadata?kid={kid}")
        key = re.search(r'entityID="[^"]*/(exk\w+)"', xml)
        if key is None:
            raise OktaError("Okta's metadata names no entity; copy the Metadata URL from the Sign On tab.")
        return f"{org_url.rstrip('/')}/app/{key[1]}/sso/saml/metadata"

    def _do(self, what: str, method: str, path: str, body: Any) -> dict[str, Any] | None:
        """Said once it is done, so that what is marked can be relied on when a later step fails."""
        made = dict(self._okta.write(method, path, body)) if self._applies else None
        _say(f"+ {what}")
        return made


def _differences(wanted: dict[str, Any], present: dict[str, Any], within: str = "") -> Iterator[str]:
    for name, value in wanted.items():
        if isinstance(value, dict):
            yield from _differences(value, present.get(name) or {}, f"{within}{name}.")
        elif name == "attributeStatements":
            if _statements(value) != _statements(present.get(name) or []):
                yield within + name
        # Okta shows an empty text as null.
        elif (present.get(name) or None) != (value or None):
            yield within + name


def _statements(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the empty fields that Okta adds when it shows them."""
    return [{name: value for name, value in one.items() if value} for one in statements]


def _merged(present: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(present)
    for name, value in wanted.items():
        is_part = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if is_part else value
    return merged


def manual_steps(values: dict[str, Any]) -> list[str]:
    """The clicks for which Okta has no API, in their order."""
    return [
        "General > App Settings > Edit > Provisioning: SCIM > Save",
        f"Provisioning > Integration > Edit > SCIM connector base URL: {values['scim_base_url']}",
        f"Unique identifier field for users: {values['unique_field']}",
        f"Supported provisioning actions: {', '.join(values['features'])}",
        f"Authentication Mode: {values['authentication_mode']}, with the token of usher scim-token create",
        "Test Connector Configuration > Save",
        f"Provisioning > To App > Edit: {', '.join(values['to_app'])} > Save",
    ]


def _say(line: str) -> None:
    print(line)  # noqa: T201 - a command-line tool


def _run(options: argparse.Namespace, pause: Pause) -> None:
    if set(options.assign) & set(options.push):
        raise OktaError("One group cannot be both assigned and pushed: Okta then pushes it half empty.")
    values = _values(options.values)
    scopes = (WRITE + [PUSH] * bool(options.push)) if options.apply else READ
    okta = Okta(options.okta_url, options.client_id, _read(options.key_file), scopes, pause)
    set_up = SetUp(okta, applies=options.apply)
    assigned, pushed = set_up.group_ids(options.assign), set_up.group_ids(options.push)
    app = set_up.app(wanted_app(values, options.label))
    set_up.assignments(app["id"] if app else None, assigned)
    set_up.pushes(app, pushed)
    if app is not None:
        _say(f"metadata_url: {set_up.metadata_url(options.okta_url, app)}")
    if values["connection_id"] is None:
        _say("Next: create the connection with the metadata_url, print the values again, run this again.")
    if app is None or "GROUP_PUSH" not in app.get("features", []):
        _say("By hand, because Okta has no API for it:")
        for step in manual_steps(values):
            _say(f"  {step}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OktaError(f"{path} cannot be read: {error.strerror}.") from None


def _values(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(_read(path))
    except ValueError:
        values = None
    if not isinstance(values, dict) or "scim_base_url" not in values:
        raise OktaError(f"{path} is not what `usher okta values --json` prints.")
    return values


def main(words: list[str] | None = None, pause: Pause = time.sleep) -> int:
    parser = argparse.ArgumentParser(description="Set Usher up in Okta.")
    parser.add_argument("--okta-url", required=True)
    parser.add_argument("--client-id", required=True, help="Of the service app.")
    parser.add_argument("--key-file", required=True, type=Path, help="Its private key, PEM.")
    parser.add_argument("--values", required=True, type=Path, help="Of usher okta values --json.")
    parser.add_argument("--label", default="Usher")
    parser.add_argument("--assign", action="append", default=[], metavar="GROUP")
    parser.add_argument("--push", action="append", default=[], metavar="GROUP")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--plan", action="store_true", help="Say what would be done.")
    how.add_argument("--apply", action="store_true", help="Do it.")
    try:
        _run(parser.parse_args(words), pause)
    except OktaError as error:
        print(f"set_up: {error}", file=sys.stderr)  # noqa: T201 - a command-line tool
        print("Lines with + are done; run it again for the rest.", file=sys.stderr)  # noqa: T201 - likewise
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
