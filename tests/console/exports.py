"""Exports as tests of the console send them: over HTTP, as JSON, and with what a sender says of itself."""

import json
import urllib.error
import urllib.request

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def export(gate, token, service="checkout", agent="OTel-OTLP-Exporter-Python/1.27.0", path="/v1/traces", environment=None):
    """Sends one span, and returns the status. Without a token there is no header."""
    attributes = [{"key": "service.name", "value": {"stringValue": service}}]
    if environment:
        attributes.append({"key": "deployment.environment.name", "value": {"stringValue": environment}})
    span = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "name": "one",
        "kind": 1,
        "startTimeUnixNano": "1795256500000000000",
        "endTimeUnixNano": "1795256500000000001",
    }
    body = {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": [span]}]}]}
    headers = {"content-type": "application/json", "user-agent": agent} | ({"api-key": token} if token else {})
    request = urllib.request.Request(f"http://{gate.http}{path}", data=json.dumps(body).encode(), headers=headers)
    try:
        with _direct.open(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
