"""What the SDK for Python sends is in its tenant's lake as it was sent, and nowhere else."""

import pytest

import telemetry
from gate import any_value, attributes

DEMO = "demo/demo/development"
TRANSPORTS = pytest.mark.parametrize("transport", ["grpc", "http"])
COMPRESSIONS = pytest.mark.parametrize("compression", ["none", "gzip"])
BEYOND = 2**53 + 1


@TRANSPORTS
@COMPRESSIONS
def test_traces(gate, service, transport, compression):
    spans = telemetry.spans(service)
    assert telemetry.export(telemetry.exporter(gate, "traces", transport, compression), spans)

    rows = {row["name"]: row for row in gate.rows(DEMO, "traces", service)}
    assert len(rows) == len(spans) == 2
    for span in spans:
        row = rows[span.name]
        assert row["trace_id"] == telemetry.hex_trace_id(span.context)
        assert row["span_id"] == telemetry.hex_span_id(span.context)
        assert row["parent_span_id"] == (telemetry.hex_span_id(span.parent) if span.parent else None)
        assert row["start_time_unix_nano"] == span.start_time
        assert row["end_time_unix_nano"] == span.end_time
        assert attributes(row["resource_attributes"]) == _sent(span.resource.attributes)
        assert (row["scope_name"], row["scope_version"]) == ("tracer", "1.2.3")
        assert attributes(row["scope_attributes"]) == {"scope.int": BEYOND}

    root = rows["root"]
    assert attributes(root["attributes"]) == telemetry.ATTRIBUTES
    assert (root["kind"], root["status_code"], root["status_message"]) == ("server", "error", "broken")
    sent = next(span for span in spans if span.name == "root")
    [event] = root["events"]
    assert (event["name"], event["time_unix_nano"]) == ("event", sent.events[0].timestamp)
    assert attributes(event["attributes"]) == {"event.ints": [BEYOND]}
    [link] = root["links"]
    assert link["trace_id"] == telemetry.hex_trace_id(sent.links[0].context)
    assert link["span_id"] == telemetry.hex_span_id(sent.links[0].context)
    assert attributes(link["attributes"]) == {"link.int": BEYOND}


@TRANSPORTS
@COMPRESSIONS
def test_logs(gate, service, transport, compression):
    logs = telemetry.logs(service)
    assert telemetry.export(telemetry.exporter(gate, "logs", transport, compression), logs)

    rows = {row["event_name"]: row for row in gate.rows(DEMO, "logs", service)}
    assert set(rows) == {"happened", ""}
    row, sent = rows["happened"], logs[0].log_record
    assert row["time_unix_nano"] == 1_700_000_000_000_000_001
    assert row["observed_time_unix_nano"] == 1_700_000_000_000_000_002
    assert (row["severity_number"], row["severity_text"]) == (13, "WARN")
    assert row["trace_id"] == telemetry.hex_trace_id(sent)
    assert row["span_id"] == telemetry.hex_span_id(sent)
    assert any_value(row["body"]) == telemetry.LOG_BODY
    assert attributes(row["attributes"]) == telemetry.LOG_ATTRIBUTES
    assert any_value(rows[""]["body"]) == "only text"
    assert rows[""]["trace_id"] is None
    assert attributes(rows[""]["attributes"]) == {}


@TRANSPORTS
@COMPRESSIONS
def test_metrics(gate, service, transport, compression):
    metrics, span = telemetry.metrics(service)
    assert telemetry.export(telemetry.exporter(gate, "metrics", transport, compression), metrics)

    rows = {row["name"]: row for row in gate.rows(DEMO, "metrics", service)}
    assert {name: row["type"] for name, row in rows.items()} == {
        "counter": "sum",
        "updown": "sum",
        "gauge": "gauge",
        "histogram": "histogram",
        "exponential": "exponential_histogram",
    }
    [scope] = metrics.resource_metrics[0].scope_metrics
    points = {metric.name: metric.data.data_points[0] for metric in scope.metrics}
    for name, row in rows.items():
        assert attributes(row["attributes"]) == telemetry.ATTRIBUTES
        assert row["time_unix_nano"] == points[name].time_unix_nano
        assert row["start_time_unix_nano"] == (points[name].start_time_unix_nano or 0)
        exemplar = row["exemplars"][-1]
        assert exemplar["trace_id"] == telemetry.hex_trace_id(span)
        assert exemplar["span_id"] == telemetry.hex_span_id(span)

    counter, updown, gauge = rows["counter"], rows["updown"], rows["gauge"]
    assert (counter["unit"], counter["description"]) == ("By", "counts up")
    assert (counter["int_value"], counter["double_value"]) == (BEYOND, None)
    assert (counter["is_monotonic"], counter["aggregation_temporality"]) == (True, "cumulative")
    assert counter["exemplars"][0]["int_value"] == BEYOND
    assert (updown["int_value"], updown["is_monotonic"]) == (-7, False)
    assert (gauge["int_value"], gauge["double_value"]) == (None, 0.1)
    assert (gauge["is_monotonic"], gauge["aggregation_temporality"]) == (None, None)

    for name in ("histogram", "exponential"):
        row = rows[name]
        assert (row["count"], row["sum"], row["min"], row["max"]) == (3, 704.5, 1.5, 700.0)
    histogram, exponential = points["histogram"], points["exponential"]
    assert rows["histogram"]["bucket_counts"] == list(histogram.bucket_counts)
    assert rows["histogram"]["explicit_bounds"] == list(histogram.explicit_bounds)
    row = rows["exponential"]
    assert (row["scale"], row["zero_count"]) == (exponential.scale, exponential.zero_count)
    assert row["positive_offset"] == exponential.positive.offset
    assert row["positive_bucket_counts"] == list(exponential.positive.bucket_counts)


def test_profiles(gate, service):
    request = telemetry.profiles(service)
    status, answer = gate.post("/v1development/profiles", request, content_type="application/x-protobuf")
    assert status == 200, answer

    [row] = gate.rows(DEMO, "profiles", service)
    assert (row["sample_type"], row["sample_unit"]) == ("samples", "count")
    assert (row["period_type"], row["period_unit"], row["period"]) == ("cpu", "nanoseconds", 10_000_000)
    assert row["time_unix_nano"] == 1_700_000_000_000_000_001
    assert (row["values"], row["timestamps_unix_nano"]) == ([BEYOND], [1_700_000_000_000_000_002])
    assert attributes(row["attributes"]) == {"thread.id": BEYOND}
    assert (row["trace_id"], row["span_id"]) == (bytes(range(16)).hex(), bytes(range(8)).hex())
    frames = [(line["function_name"], line["line"]) for location in row["stack"] for line in location["lines"]]
    assert frames == [("work", 5), ("main", 10)]


def test_each_tenant_has_its_own_data_only(gate, service):
    gate.run("grids", "create", "other", "--project", "demo")
    tokens = {
        DEMO: gate.token,
        "demo/other/development": gate.create_key("other", grid="other"),
        "demo/other/production": gate.create_key("other", grid="other", environment="production"),
    }
    services = {tenant: f"{service}-{number}" for number, tenant in enumerate(tokens)}
    for tenant, token in tokens.items():
        assert telemetry.export(
            telemetry.exporter(gate, "traces", token=token), telemetry.spans(services[tenant])
        )

    for tenant, name in services.items():
        found = gate.rows("*/*/*", "traces", name, "name")
        assert len(found) == 2
        folder = gate.data / "lake" / tenant / "traces"
        assert all(row["filename"].startswith(f"{folder}/") for row in found), found


def _sent(attributes):
    """What the SDK holds, with lists for its tuples."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in attributes.items()}
