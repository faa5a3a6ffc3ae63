"""`usher org adopt` and `release`: which organizations of one company share the parent's domains."""

import click

from app.cli_output import as_json, show
from app.cli_session import org_option, sessions
from app.core.ids import edge_id
from app.directory.organizations import OrganizationService
from app.sso.families import Families


@click.command("adopt")
@org_option
@click.argument("child", metavar="CHILD_SLUG")
@as_json
def adopt(org: str, child: str, *, json_: bool) -> None:
    """Let the organization CHILD_SLUG use the verified domains of its parent, --org."""
    # Each side is a transaction of its own; said twice is said once, so a broken run is just repeated.
    with sessions(write=True) as begin:
        with begin() as services:
            organizations = services.get(OrganizationService)
            parent_id, child_id = organizations.id_of(org), organizations.id_of(child)
            services.uow.enter(child_id)
            services.get(Families).join(parent_id, org)
            services.commit()
        with begin() as services:
            services.uow.enter(parent_id)
            services.get(Families).adopt(child_id, child)
            services.commit()
    show({"id": edge_id("org", child_id), "slug": child, "parent_id": edge_id("org", parent_id)}, json_=json_)


@click.command("release")
@org_option
@click.argument("child", metavar="CHILD_SLUG")
@as_json
def release(org: str, child: str, *, json_: bool) -> None:
    """End that: the organization CHILD_SLUG may use only domains of its own from its next sign-in on."""
    with sessions(write=True) as begin:
        with begin() as services:
            organizations = services.get(OrganizationService)
            parent_id, child_id = organizations.id_of(org), organizations.id_of(child)
            services.uow.enter(parent_id)
            services.get(Families).release(child_id, child)
            services.commit()
        with begin() as services:
            services.uow.enter(child_id)
            services.get(Families).leave(parent_id, org)
            services.commit()
    show({"id": edge_id("org", child_id), "slug": child, "parent_id": None}, json_=json_)
