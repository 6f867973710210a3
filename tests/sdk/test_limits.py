"""What the SDK does with limits: it waits for a rate as it is told and loses nothing, and does not come again for a quota."""

import time
from datetime import datetime

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import telemetry
from gate import Gate, eventually, key_id

TRANSPORTS = pytest.mark.parametrize("transport", ["grpc", "http"])
TENANT = "demo/demo/development"

# What the key may send, and twice that for a while: it fits the queue of the SDK, and no batch waits as long as its deadline of 10 s.
RATE = 20
SECONDS = 3
SPANS = 2 * RATE * SECONDS


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """A gate that remembers every export, and shows at once what became of it."""
    gate = Gate(
        tmp_path_factory.mktemp("limits"),
        GRIDGATE_REQUESTS__SAMPLE="1",
        GRIDGATE_REQUESTS__INTERVAL="100ms",
        GRIDGATE_REFUSALS__FLUSH_INTERVAL="100ms",
        GRIDGATE_SENDERS__FLUSH_INTERVAL="100ms",
        GRIDGATE_USAGE__FLUSH_INTERVAL="100ms",
    )
    yield gate
    gate.stop()


@TRANSPORTS
def test_a_burst_of_twice_the_rate_loses_nothing(gate, service, transport):
    token = gate.create_key(f"bursting-{transport}", limits=[f"{RATE} items/second"])
    provider = TracerProvider(resource=telemetry.resource(service))
    provider.add_span_processor(
        BatchSpanProcessor(
            telemetry.exporter(gate, "traces", transport, token=token),
            schedule_delay_millis=250,
            max_export_batch_size=RATE // 2,
        )
    )
    tracer = provider.get_tracer("tracer")
    names = [f"span {number}" for number in range(SPANS)]
    for name in names:
        tracer.start_span(name).end()
        time.sleep(SECONDS / SPANS)
    assert provider.force_flush()
    provider.shutdown()

    rows = eventually(
        "every span in the lake",
        lambda: len(rows := gate.rows_now(TENANT, "traces", service, "name")) >= SPANS and rows,
    )
    assert sorted(row["name"] for row in rows) == sorted(names)

    usage = _usage(gate, token, lambda usage: usage["items"] == SPANS)
    refused = usage["refused_by"].get("rate_limited", 0)
    assert refused > 0, "the burst was no burst"
    assert usage["refused"] == refused
    requests = _requests(gate, token, usage["received"])
    for one, following in zip(requests, requests[1:], strict=False):
        if one["outcome"] == "refused":
            # The least that a hint says is a second.
            waited = _instant(following) - _instant(one)
            assert waited.total_seconds() >= 1, "it did not wait as it was told"
    assert requests[-1]["outcome"] == "accepted"


@TRANSPORTS
def test_a_used_up_quota_is_not_retried(gate, service, transport):
    token = gate.create_key(f"used-up-{transport}", limits=["2 items/day"])
    exporter = telemetry.exporter(gate, "traces", transport, token=token)
    # Two spans each: the first batch uses up the day.
    batches = [telemetry.export(exporter, telemetry.spans(service)) for _ in range(4)]
    exporter.shutdown()
    assert batches == [True, False, False, False]

    requests = _requests(gate, token, len(batches))
    assert [(one["outcome"], one["reason"]) for one in requests] == [("accepted", None)] + 3 * [
        ("refused", "quota_exhausted")
    ]
    usage = _usage(gate, token, lambda usage: usage["received"] == len(batches))
    assert (usage["accepted"], usage["items"], usage["refused_by"]) == (1, 2, {"quota_exhausted": 3})

    def told():
        found = gate.show("refusals", "--key", key_id(token))
        # Nobody looked at their bodies: whose they are is known from the export before.
        likely = {group["likely_service"] for group in found}
        return sum(group["count"] for group in found) == 3 and likely == {service} and found

    [refusal] = eventually("the refusals are shown", told)
    assert (refusal["reason"], refusal["key"]) == ("quota_exhausted", key_id(token))
    assert "2 items/day" in refusal["detail"]
    assert refusal["service"] is None and refusal["advice"]


def _requests(gate, token, count):
    """The exports with the key, the first first; `count` of them and no more."""

    def found():
        requests = gate.show("requests", "--key", key_id(token), "--limit", "1000")
        return len(requests) >= count and requests

    requests = eventually(f"{count} exports in the request log", found)
    assert len(requests) == count
    return sorted(requests, key=_instant)


def _usage(gate, token, complete):
    """What is counted of the key, once it is `complete`."""

    def found():
        # All within a day, unless the day ends meanwhile.
        rows = gate.show("usage", "--key", key_id(token), "--step", "day")
        return len(rows) == 1 and complete(rows[0]) and rows[0]

    return eventually("usage is complete", found)


def _instant(request):
    return datetime.fromisoformat(request["at"])
