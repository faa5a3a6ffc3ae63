"""The words of rights: surfaces, permissions, and which permission another one includes.

Models are named by who runs them, so there is no list of those here.
"""

SURFACES = ("code", "chat", "cowork")
AREAS = ("identity", "billing", "analytics", "privacy", "audit")
LEVELS = ("view", "manage")
PERMISSIONS = (
    "connectors.install",
    "plugins.install",
    *(f"admin.{area}.{level}" for area in AREAS for level in LEVELS),
)


def included(permission: str) -> frozenset[str]:
    """What a permission comes to: itself, and beside `manage` also `view` of the same area."""
    head, _, level = permission.rpartition(".")
    return frozenset({permission, f"{head}.view"}) if level == "manage" else frozenset({permission})
