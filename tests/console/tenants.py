"""Tenants with keys and exports of their own, for pages that show what came in."""

import json
import urllib.error
import urllib.request

from gate import DEADLINE_SECONDS, eventually

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def api(gate, path, body=None, method=None):
    """The JSON of an answer of the admin API to the owner of quickstart."""
    headers = {"x-api-key": gate.variables["GRIDGATE_ADMIN_KEY"], "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{gate.admin}/api/v1{path}", data, headers, method=method)
    with _direct.open(request, timeout=DEADLINE_SECONDS) as answer:
        return json.loads(answer.read() or b"null")


def spans(count, service="checkout", environment=None):
    """An export of so many spans."""
    attributes = {"service.name": service}
    if environment:
        attributes["deployment.environment.name"] = environment
    resource = {"attributes": [{"key": key, "value": {"stringValue": text}} for key, text in attributes.items()]}
    span = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "a",
            "startTimeUnixNano": "1", "endTimeUnixNano": "2"}  # fmt: skip
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span] * count}]}]}).encode()


class Tenant:
    """A project with one grid and one key for development."""

    def __init__(self, gate, project, grid="web", key="checkout", **fields):
        self.gate, self.project, self.grid = gate, project, grid
        api(gate, "/projects", {"slug": project})
        api(gate, f"/projects/{project}/grids", {"slug": grid})
        body = {"name": key, "project": project, "grid": grid, "environment": "development", **fields}
        made = api(gate, "/keys", body)
        self.id, self.token = made["key"]["id"], made["token"]

    def send(self, count, token=None, **of):
        """Exports so many spans, and returns the status of the answer."""
        return self.gate.post("/v1/traces", spans(count, **of), token=token or self.token)[0]

    def do(self, verb, **body):
        """Carries out a verb of the key."""
        return api(self.gate, f"/keys/{self.id}/{verb}", body)

    def counted(self, exports):
        """Waits until so many exports are written down, and returns the day's usage."""

        def total():
            rows = api(self.gate, f"/usage/top?project={self.project}")["data"]
            return rows[0] if rows and rows[0]["received"] >= exports else None

        return eventually(f"{exports} exports of {self.project} are counted", total)
