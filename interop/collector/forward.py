"""Kills a Collector behind the gate under load, starts it again, and looks for every acknowledged record in it."""

import argparse
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from itertools import count
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/sdk"))

from gate import Gate  # noqa: E402

WRITERS = 4
RECORDS_PER_EXPORT = 10
# Of each writer. The load has to be steady, not high: the Collector must catch up with what it missed.
EXPORTS_PER_SECOND = 50
# With a Collector that runs, before and after the outage.
STEADY_SECONDS = 3
# Without one more record that arrives, the rest is lost.
PATIENCE_SECONDS = 60

CONFIGURATION = """
[[forward]]
name = "collector"
protocol = "{protocol}"
endpoint = "http://{address}"

[[route]]
to = ["collector"]
"""


def main():
    parser = argparse.ArgumentParser(prog="interop/forward", description=__doc__)
    parser.add_argument("--outage", type=float, default=10, metavar="SECONDS", help="without a Collector (default: 10)")
    parser.add_argument("--protocol", choices=["grpc", "http"], help="of the forward (default: one after the other)")
    options = parser.parse_args()
    lost = 0
    for protocol in [options.protocol] if options.protocol else ["grpc", "http"]:
        with tempfile.TemporaryDirectory(prefix="gridgate-forward-") as folder:
            lost += _outage(Path(folder), protocol, options.outage)
    return 1 if lost else 0


def _outage(folder, protocol, seconds):
    """One outage, and how many acknowledged records are lost after it."""
    collector = Collector(folder)
    configuration = folder / "gridgate.toml"
    configuration.write_text(CONFIGURATION.format(protocol=protocol, address=collector.addresses[protocol]))
    with contextlib.ExitStack() as ends:
        collector.start()
        ends.callback(collector.kill)
        gate = Gate(folder, GRIDGATE_CONFIG=str(configuration))
        ends.callback(gate.stop)
        load = Load(gate)
        ends.callback(load.stop)
        time.sleep(STEADY_SECONDS)
        collector.kill()
        before = len(load.acknowledged)
        time.sleep(seconds)
        during = len(load.acknowledged) - before
        collector.start()
        time.sleep(STEADY_SECONDS)
        load.stop()
        began = time.monotonic()
        arrived = _arrivals(collector, load.acknowledged)
        caught_up = time.monotonic() - began

    lost = load.acknowledged - arrived.keys()
    twice = sum(times > 1 for times in arrived.values())
    print(
        f"{protocol}: {len(load.acknowledged)} records acknowledged, {during} of them while the Collector was away for"
        f" {seconds:g} s; {len(lost)} lost, {twice} received more than once; the last {caught_up:.1f} s after the load",
        flush=True,
    )
    assert before and during, "the load did not go on through the outage"
    return len(lost)


def _arrivals(collector, awaited):
    """How often each record arrived, once all that are awaited did or nothing more arrives."""
    arrived = Counter()
    last = time.monotonic()
    while not awaited <= arrived.keys() and time.monotonic() - last < PATIENCE_SECONDS:
        if new := collector.received():
            arrived.update(new)
            last = time.monotonic()
        else:
            time.sleep(0.1)
    return arrived


class Collector:
    """A Collector that appends what it receives to a file."""

    def __init__(self, folder):
        self.addresses = dict(zip(["grpc", "http"], _free_addresses(2), strict=True))
        self._file = folder / "received.jsonl"
        self._log = folder / "collector.log"
        self._read = 0
        self._process = None

    def start(self):
        """Starts it where it was, and waits until it listens."""
        variables = {"BACKEND_" + name.upper(): address for name, address in self.addresses.items()}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [HERE / "backend"],
                env=os.environ | variables | {"BACKEND_FILE": str(self._file)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        for address in self.addresses.values():
            while not _listens(address):
                assert self._process.poll() is None, self._log.read_text()
                time.sleep(0.05)

    def kill(self):
        """Ends it without a warning. Twice is once."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def received(self):
        """The records that have arrived since it was last asked."""
        if not self._file.exists():
            return []
        with self._file.open("rb") as file:
            file.seek(self._read)
            lines, newline, _ = file.read().rpartition(b"\n")
        self._read += len(lines + newline)
        return [body for export in _exports(lines) for body in _bodies(export)]


def _exports(lines):
    # A kill leaves a line behind that has no end or is none, and what comes next stands behind it.
    for text in re.split(rb'\n|(?={"resourceLogs")', lines):
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(text)


def _bodies(export):
    for resource in export["resourceLogs"]:
        for scope in resource["scopeLogs"]:
            for record in scope["logRecords"]:
                yield record["body"]["stringValue"]


class Load:
    """Writers that export numbered log records until stopped. `acknowledged` has those that the gate accepted."""

    def __init__(self, gate):
        self.acknowledged = set()
        self._gate = gate
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Returns when no export is under way any more. Twice is once."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _write(self, writer):
        connection = http.client.HTTPConnection(self._gate.http, timeout=PATIENCE_SECONDS)
        headers = {"api-key": self._gate.token, "content-type": "application/json"}
        for export in count():
            bodies = [f"{writer}-{export}-{record}" for record in range(RECORDS_PER_EXPORT)]
            connection.request("POST", "/v1/logs", json.dumps(_request(bodies)), headers)
            answer = connection.getresponse()
            text = answer.read()
            # What is refused was never promised. An empty object accepts everything.
            if answer.status == http.HTTPStatus.OK and json.loads(text) == {}:
                self.acknowledged.update(bodies)
            if self._stopped.wait(1 / EXPORTS_PER_SECOND):
                break
        connection.close()


def _request(bodies):
    records = [{"timeUnixNano": str(time.time_ns()), "body": {"stringValue": body}} for body in bodies]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "interop-forward"}}]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}


def _listens(address):
    host, _, port = address.partition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=5):
        return True
    return False


def _free_addresses(number):
    # All of them are open at once, so that no two are the same.
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses


sys.exit(main())
