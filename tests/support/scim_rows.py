"""What conformance means here, row by row: what each connector needs, and what the RFCs demand.

A test says which rows it proves by the marker `scim`; `tests.support.conformance` makes the page of it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`id` is what the marker names; `source` is the document that the row follows."""

    id: str
    title: str
    source: str = ""


OKTA = (
    Row(
        "okta/test-connection",
        "The connection test gets a list with numbers, also from an empty tenant",
    ),
    Row("okta/before-create", "The look-up before a create ignores case and answers an empty list"),
    Row("okta/create", "A create carries groups, a filler password and externalId, and is answered in full"),
    Row("okta/duplicate", "A duplicate is 409 with a sentence for the administrator"),
    Row("okta/update", "A catalogue app reads the user and puts all of it back"),
    Row("okta/wizard-update", "A wizard app puts every change; without active nobody wakes"),
    Row("okta/deactivate", "Deactivating and reactivating are PATCHes without a path"),
    Row("okta/password-sync", "A synchronized password is accepted and kept nowhere"),
    Row("okta/unassign", "Deactivation is the end of access, for no DELETE will come"),
    Row("okta/import", "An import pages through everybody in a stable order"),
    Row("okta/group-push", "A pushed group is created without members"),
    Row("okta/find-group", "A group is found by its name"),
    Row("okta/group-rename", "A rename repeats the id inside the value"),
    Row("okta/membership", "Members are removed by filter, added, replaced with and without a path"),
    Row("okta/wizard-membership", "A wizard app puts the group without its id"),
    Row("okta/delete-group", "Unlinking deletes the group and its memberships"),
    Row("okta/authentication", "A bearer token or the bare token; a wrong one is 401 in the Error shape"),
    Row("okta/entitlements", "Resource types and schemas are listed for the entitlement import"),
    Row("okta/limits", "429 tells whole seconds to wait"),
    Row("okta/own-attributes", "userType, title and an extension come by PUT; empty text clears them"),
)
ENTRA = (
    Row("entra/test-connection", "The connection test looks for a random value and gets an empty list"),
    Row("entra/operators", "Matching by userName, externalId and work e-mail, spaces written as plus"),
    Row("entra/group-reads", "Groups are read without their members"),
    Row("entra/reference-check", "The reference check on manager answers none or one"),
    Row("entra/create", "A create with nulls, empty roles, foreign namespaces and a top-level department"),
    Row("entra/update", "One capitalised operation for each attribute"),
    Row("entra/flagged-update", "One operation without a path, with dotted and URN keys"),
    Row("entra/flag", "The query parameter of the flag changes nothing else"),
    Row("entra/disable", "active is switched by text or boolean"),
    Row("entra/no-match", "A filtered path without a match makes one entry of all its parts"),
    Row("entra/validator-role", "A role is addressed by the text of its primary"),
    Row("entra/manager", "Every form of manager is stored, and cleared by an empty value"),
    Row("entra/members", "Members are added with null references and removed by value list or filter"),
    Row("entra/group-create", "A group comes with the namespace of 2006, which is dropped"),
    Row("entra/group-name", "The name of a group is unique, whatever its case"),
    Row("entra/roles", "Roles as JSON text are unfolded; replace means replace"),
    Row("entra/deprovision", "Who is disabled stays readable and can be found"),
    Row("entra/restore", "A restored user has the memberships, and the seat from them"),
    Row("entra/delete", "Deleting twice is 404, and the userName is free again"),
    Row("entra/patch-answers", "A PATCH of a user answers the user, of a group 204"),
    Row("entra/schemas", "Schemas have the expected descriptions and no null"),
    Row("entra/values", "Values stay as they were sent"),
    Row("entra/scale", "The client's faults are 4xx, too many requests are 429"),
    Row("entra/authentication", "A static bearer token, which expires when it was said to"),
    Row("entra/delta-reads", "Delta reads compare instants with seven digits from the year one on"),
)
OTHERS = (
    Row("validator/microsoft", "Microsoft's Validator: 25 required and 7 preview tests"),
    Row("google/provisioning", "Google Workspace: plain JSON, people created suspended, both ways to leave"),
    Row(
        "onelogin/provisioning",
        "OneLogin: a name that cannot exist, plain JSON, hand-written templates",
    ),
    Row("jumpcloud/provisioning", "JumpCloud: the same names created, deleted and created; members by value"),
    Row("rippling/provisioning", "Rippling: a complete config first, repeated creates are 409"),
    Row("ping/provisioning", "Ping: look-up by emails without a sub-attribute, types in any case"),
    Row("authentik/provisioning", "authentik: a complete config, PUT, adoption after 409, answers as sent"),
    Row("canaille/provisioning", "Canaille: look-up by externalId, then POST or PUT, then DELETE"),
    Row("aws/provisioning", "AWS-shaped clients: is this user a member of this group"),
)
_RFC = (
    ("Names of operations, attributes and operators ignore case", "7644 3.5.2, 3.4.2.2; 7643 2.1"),
    ("A broken filter is 400 invalidFilter, never everybody", "7644 3.4.2.2"),
    ("A filter that finds nobody is 200 with a total of 0", "7644 3.4.2"),
    ("Every refusal has the Error body, the status as text, the SCIM media type", "7644 3.12, 3.1"),
    ("A PATCH is all or nothing, in order", "7644 3.5.2"),
    ("A PATCH without a path merges attribute by attribute", "7644 3.5.2.1, 3.5.2.3"),
    ("Paths with a value filter, with and without a sub-attribute", "7644 3.5.2"),
    ("Removing without a path is 400 noTarget", "7644 3.5.2.2"),
    ("Removing empties a list; a required or readOnly target is 400 mutability", "7644 3.5.2.2"),
    ("A filtered replace without a match: noTarget, or an entry where a vendor needs one", "7644 3.5.2.3"),
    ("Adding what is there changes nothing, lastModified included", "7644 3.5.2.1"),
    ("A new primary takes the place of the old one", "7644 3.5.2"),
    ("userName is unique whatever its case: 409 uniqueness", "7643 4.1.1; 7644 3.3, 3.12"),
    ("and binds before or, not before both, brackets first", "7644 3.4.2.2"),
    ("Terms in brackets hold for one and the same value", "7644 3.4.2.2"),
    ("Text is compared by caseExact; externalId, ids and references exactly", "7643 2.2, 3.1"),
    ("Ordering booleans or binaries is 400 invalidFilter", "7644 3.4.2.2"),
    ("Times are compared as instants", "7644 3.4.2.2"),
    ("startIndex below 1 is 1, a negative count is 0, count 0 gives the total", "7644 3.4.2.4"),
    ("totalResults counts all, itemsPerPage this page", "7644 3.4.2.4"),
    ("Too much is 400 tooMany or cut to filter.maxResults", "7644 3.4.2, 3.12"),
    ("id is the service's: always there, stable, never used again, the client's ignored", "7643 3.1"),
    ("externalId is the client's and need not be unique", "7643 3.1"),
    ("readOnly input is ignored, a changed immutable is 400 mutability", "7643 2.2; 7644 3.3, 3.5.1"),
    ("PUT creates nobody; what it leaves out is cleared or defaulted", "7644 3.5.1"),
    ("POST answers 201, Location and the whole resource", "7644 3.3"),
    ("DELETE answers 204, then everything 404, and no conflict comes of it", "7644 3.6"),
    ("What is never returned is never shown, nor told by a filter", "7643 2.2, 9.2; 7644 7.5.2"),
    (
        "What is always returned survives excludedAttributes; both parameters exclude each other",
        "7643 2.2; 7644 3.9",
    ),
    ("A PATCH that asks for attributes is 200 with them", "7644 3.5.2"),
    ("Projection takes full URNs and sub-attributes", "7644 3.9, 3.10"),
    ("null, empty and absent are the same", "7643 2.5"),
    ("schemas lists every namespace that is present", "7643 3, 3.3"),
    ("A user's groups mirror the memberships and are readOnly", "7643 4.1.2"),
    ("A group needs its displayName; parts of a member are immutable", "7643 4.2, 8.7.1"),
    ("Members may be groups, without endless loops", "7643 4.2"),
    ("manager.value is compared exactly, its displayName is readOnly", "7643 4.3"),
    ("A filter on a list of objects means their value", "7644 3.4.2.2; 7643 2.4"),
    ("pr is false for null, empty text and empty lists", "7644 3.4.2.2"),
    ("schemas can be filtered", "7644 3.4.2.2"),
    ("Text in a filter is JSON text: escapes and Unicode", "7644 3.4.2.2"),
    ("The body of .search means what the query means", "7644 3.4.3, 7.5.2"),
    ("GET on the root searches all types", "7644 3.4.2.1"),
    ("Sorting: ascending unless said, missing values last, case by attribute", "7644 3.4.2.3"),
    ("Discovery: one config, lists of schemas and types, items by id, a filter is 403", "7644 4"),
    ("The config has every block and every part of it", "7643 5"),
    ("Schemas tell all characteristics; a complex attribute holds no complex one", "7643 7, 2.3.8"),
    (
        "401 with WWW-Authenticate for no or bad credentials, 403 for what a token may not",
        "7644 2, 3.12",
    ),
    ("Another tenant's resource is 404 and counts nowhere", "7644 6"),
    ("Both JSON media types in and out, others 415", "7644 3.1"),
    ("Weak ETags: If-Match 412, If-None-Match 304", "7644 3.14"),
    ("Bulk: limits, failOnErrors, status, location and version of each operation", "7644 3.7"),
    ("Bulk: references forwards and in circles are resolved or 409", "7644 3.7.1, 3.7.2"),
    ("What the config says is not supported is refused", "7644 3.12, 4"),
    ("/Me works, redirects or is 501", "7644 3.11"),
    ("No write is redirected", "7644 7.1, 3.12"),
    ("userNames are compared normalized", "7644 5, 7.8"),
    ("A password is stored as a hash at most; here nowhere at all", "7643 4.1.1, 9.2"),
    ("A cursor begins empty, goes on opaque, and its absence alone is the end", "9865 2"),
    ("A cursor with another query is 400; an old one is expired", "9865 2.1 to 2.3"),
    ("The config has a pagination block; index stays the default", "9865 4, 2.4"),
    ("A cursor belongs to its caller and tenant", "9865 security"),
    ("Security event tokens are not offered", "9967 2.1"),
    ("Security event types are not offered", "9967 2.3 to 2.5"),
    ("The config does not announce security events", "9967 4"),
    ("A request for an asynchronous answer is answered at once", "9967 2.5, 3"),
    ("There is nothing to poll events from", "9967 5"),
)
RFC = tuple(
    Row(f"rfc/{number}", title, f"RFC {source}") for number, (title, source) in enumerate(_RFC, start=1)
)
SECTIONS = {
    "Okta": OKTA,
    "Microsoft Entra ID": ENTRA,
    "Other connectors": OTHERS,
    "RFC 7643, 7644, 9865 and 9967": RFC,
}
