"""Lets a Collector send at twice the rate of its key for a while, and beyond a quota, and looks what became of each record."""

import argparse
import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/sdk"))
for name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

import grpc  # noqa: E402
from gate import Gate, eventually, key_id  # noqa: E402
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest  # noqa: E402
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub  # noqa: E402
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue  # noqa: E402
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs  # noqa: E402
from opentelemetry.proto.resource.v1.resource_pb2 import Resource  # noqa: E402

COLLECTOR = HERE.parents[1] / "target/interop/collector/otelcol"
EXPORTERS = {"grpc": "otlp_grpc", "http": "otlp_http"}
TENANT = "demo/demo/development"

RECORDS_PER_EXPORT = 10
# Of the key, in records a second. Twice that is sent for a while: the Collector's queue holds 1000 exports.
RATE = 50
SECONDS = 4
# What the exporter tells about log records among the Collector's own metrics.
_COUNTED = re.compile(r"^otelcol_exporter_(sent|send_failed)_log_records(?:_total)?{.*} (\S+)$", re.M)

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main():
    parser = argparse.ArgumentParser(prog="interop/limits", description=__doc__)
    parser.add_argument("--protocol", choices=list(EXPORTERS), help="of the exporter (default: one after the other)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gridgate-limits-") as folder:
        gate = Gate(
            Path(folder),
            GRIDGATE_REQUESTS__SAMPLE="1",
            GRIDGATE_REQUESTS__INTERVAL="100ms",
            GRIDGATE_USAGE__FLUSH_INTERVAL="100ms",
        )
        try:
            for protocol in [options.protocol] if options.protocol else EXPORTERS:
                _rate(gate, protocol, Path(folder))
                _quota(gate, protocol, Path(folder))
        finally:
            gate.stop()


def _rate(gate, protocol, folder):
    """Its own queue sends again what was over the rate, until everything is there."""
    token = gate.create_key(f"rate-{protocol}", limits=[f"{RATE} items/second"])
    exports = 2 * RATE * SECONDS // RECORDS_PER_EXPORT
    records = exports * RECORDS_PER_EXPORT
    with _collector(gate, protocol, token, folder) as collector:
        sent = []
        for number in range(exports):
            sent += collector.feed(number)
            time.sleep(SECONDS / exports)
        eventually("the Collector has sent every record", lambda: collector.counted()["sent"] >= records)
        assert collector.counted() == {"sent": records, "send_failed": 0}, collector.counted()
    rows = eventually(
        "every record in the lake",
        lambda: len(rows := gate.rows_now(TENANT, "logs", collector.service, "body")) >= records and rows,
    )
    assert sorted(row["body"]["string_value"] for row in rows) == sorted(sent)
    usage = _usage(gate, token, lambda usage: usage["items"] >= records)
    assert (usage["items"], usage["accepted"]) == (records, exports), usage
    refused = usage["refused_by"].get("rate_limited", 0)
    assert refused > 0 and usage["refused"] == refused, usage
    print(f"{protocol}: rate: {records} records, each stored once; {refused} exports sent again", flush=True)


def _quota(gate, protocol, folder):
    """What is beyond the quota is refused once and not sent again."""
    token = gate.create_key(f"quota-{protocol}", limits=[f"{RECORDS_PER_EXPORT} items/day"])
    with _collector(gate, protocol, token, folder) as collector:
        collector.feed(0)
        eventually("the quota is used up", lambda: collector.counted()["sent"] == RECORDS_PER_EXPORT)
        for number in range(1, 4):
            collector.feed(number)
        eventually("the rest is given up", lambda: collector.counted()["send_failed"] == 3 * RECORDS_PER_EXPORT)
        assert collector.counted()["sent"] == RECORDS_PER_EXPORT
    usage = _usage(gate, token, lambda usage: usage["received"] >= 4)
    assert (usage["received"], usage["accepted"], usage["items"]) == (4, 1, RECORDS_PER_EXPORT), usage
    assert usage["refused_by"] == {"quota_exhausted": 3}, usage
    print(f"{protocol}: quota: 3 exports refused once each, and not sent again", flush=True)


def _usage(gate, token, complete):
    def found():
        rows = gate.show("usage", "--key", key_id(token), "--step", "day")
        return len(rows) == 1 and complete(rows[0]) and rows[0]

    return eventually("usage is complete", found)


class Collector:
    """A Collector that exports with a key what it is fed without one."""

    def __init__(self, gate, protocol, token, folder):
        self.service = f"limits-{uuid.uuid4()}"
        self._feed, self._metrics = _free_ports(2)
        self._environment = os.environ | {
            "FEED": f"127.0.0.1:{self._feed}",
            "METRICS_PORT": str(self._metrics),
            "API_KEY": token,
            "EXPORTER": EXPORTERS[protocol],
            "ENCODING": "proto",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{gate.grpc if protocol == 'grpc' else gate.http}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        }
        self._log = folder / "collector.log"

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [COLLECTOR, "--config", HERE / "client.yaml"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self._feed}")

    def stop(self):
        self._channel.close()
        self._process.terminate()
        self._process.wait()

    def feed(self, number):
        """Gives it one export, and says what its records are."""
        bodies = [f"{number}-{record}" for record in range(RECORDS_PER_EXPORT)]
        records = [LogRecord(time_unix_nano=time.time_ns(), body=AnyValue(string_value=body)) for body in bodies]
        resource = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=self.service))])
        request = ExportLogsServiceRequest(
            resource_logs=[ResourceLogs(resource=resource, scope_logs=[ScopeLogs(log_records=records)])]
        )
        LogsServiceStub(self._channel).Export(request, timeout=60, wait_for_ready=True)
        return bodies

    def counted(self):
        """The log records that its exporter has sent, and those that it gave up."""
        with _direct.open(f"http://127.0.0.1:{self._metrics}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        return {"sent": 0, "send_failed": 0} | {name: int(float(value)) for name, value in _COUNTED.findall(text)}


@contextlib.contextmanager
def _collector(gate, protocol, token, folder):
    collector = Collector(gate, protocol, token, folder)
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()


def _free_ports(count):
    # All of them are open at once, so that no two are the same.
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


sys.exit(main())
