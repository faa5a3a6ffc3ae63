"""/Bulk (RFC 7644 section 3.7)."""

import json

from flask import Response

from app.scim.routes import read_body, route, send_json
from app.scim.service_bulk import BulkService
from app.web.context import service


@route("/Bulk", "POST")
def run_bulk() -> Response:
    return send_json(json.dumps(service(BulkService).run(read_body())))
