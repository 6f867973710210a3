"""A change of a key holds from the very next export on, on connections that are open already too."""

import json

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

import telemetry
from gate import DEADLINE_SECONDS, key_id


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_an_exporter_of_the_sdk_is_refused_after_revoke(gate, service, transport):
    token = gate.create_key(f"revoked-{transport}")
    exporter = telemetry.exporter(gate, "traces", transport, token=token)
    assert telemetry.export(exporter, telemetry.spans(service))

    gate.run("keys", "revoke", "--yes", "--force", key_id(token))

    assert not telemetry.export(exporter, telemetry.spans(service))
    exporter.shutdown()


def test_an_open_grpc_channel_is_refused_with_the_reason(gate, service):
    token = gate.create_key("revoked-channel")
    request = encode_spans(telemetry.spans(service))
    with grpc.insecure_channel(gate.grpc) as channel:
        traces = TraceServiceStub(channel)
        metadata = [("api-key", token)]
        traces.Export(request, metadata=metadata, timeout=DEADLINE_SECONDS)

        gate.run("keys", "revoke", "--yes", "--force", key_id(token))

        with pytest.raises(grpc.RpcError) as refused:
            traces.Export(request, metadata=metadata, timeout=DEADLINE_SECONDS)
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    details = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
    assert _error_info(status_pb2.Status.FromString(details)) == ("KEY_REVOKED", "gridgate")


def test_disable_holds_until_enable(gate, service):
    token = gate.create_key("disabled")
    body = json.dumps({
        "resourceSpans": [{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": [{"traceId": "01" * 16, "spanId": "02" * 8, "name": "span"}]}],
        }]
    }).encode()  # fmt: skip
    assert gate.post("/v1/traces", body, token=token)[0] == 200

    gate.run("keys", "disable", "--force", key_id(token))
    status, answer = gate.post("/v1/traces", body, token=token)
    assert status == 401
    reasons = [detail.get("reason") for detail in json.loads(answer)["details"]]
    assert "KEY_DISABLED" in reasons, answer

    gate.run("keys", "enable", key_id(token))
    assert gate.post("/v1/traces", body, token=token)[0] == 200


def _error_info(status):
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details), status
    return info.reason, info.domain
