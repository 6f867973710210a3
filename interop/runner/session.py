"""Carrying out runs: the gates, the refusers in front of them, the client processes, and the look into the lake."""

import contextlib
import json
import os
import subprocess
import tempfile
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lake
from gate import BINARY, Gate, key_id

# How long a client's last flush may take. Of those here, Go waits longest before it sends again: up to 7.5 s.
WAIT_SECONDS = 20
# A client that takes longer hangs, however busy the machine.
DEADLINE_SECONDS = 120

# The origin of the browser's page.
PAGE = "http://page.localhost"

REFUSER = BINARY.parent / "examples/refuse"


class Run:
    """One client in one case. `problems` says in the end what was not as it should be."""

    def __init__(self, client, combination, case, output):
        self.client, self.combination, self.case = client, combination, case
        self.service = f"{client.name}-{uuid.uuid4()}"
        protocol = combination.protocol.replace("/", "-")
        self.folder = output / client.name / f"{protocol}-{combination.compression}" / case.name
        self.problems = []

    @property
    def logged(self):
        """What the client wrote to stderr."""
        return (self.folder / "stderr").read_text(errors="replace")

    def start(self, addresses, token):
        """The client as a process, which sends to `addresses` by transport."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GRIDGATE_")} | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{addresses[self.combination.transport]}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": self.combination.protocol,
            "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={token}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": self.combination.compression,
            "OTEL_SERVICE_NAME": self.service,
            # A cumulative counter would be exported again by the shutdown, and hide what became of its first export.
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
            "INTEROP_WAIT_SECONDS": str(WAIT_SECONDS),
            "INTEROP_COUNT": str(self.case.batches),
        }
        with (self.folder / "stderr").open("wb") as stderr:
            return subprocess.Popen(
                [self.client.folder / "run"],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )

    def finish(self, process):
        """Waits for its end."""
        try:
            process.communicate(timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self.problems.append(f"did not end within {DEADLINE_SECONDS} s")
        else:
            if process.returncode != 0:
                self.problems.append(f"exit code {process.returncode}")


def carry_out(runs, output, jobs):
    """Carries all of them out, `jobs` at a time, and checks what is in the lake afterwards."""
    restarted = [run for run in runs if run.case.batches > 1]
    others = [run for run in runs if run.case.batches == 1]
    with tempfile.TemporaryDirectory(prefix="gridgate-interop-") as folder:
        # Restarts must not disturb anybody else, so that they have a gate of their own.
        with ThreadPoolExecutor(2) as pool:
            for done in [
                pool.submit(_one_by_one, others, Path(folder, "steady"), jobs),
                pool.submit(_in_step, restarted, Path(folder, "restarted"), jobs),
            ]:
                done.result()


def _gate(folder):
    folder.mkdir()
    return Gate(folder, GRIDGATE_CORS__ORIGINS=json.dumps([PAGE]))


def _one_by_one(runs, folder, jobs):
    if not runs:
        return
    gate = _gate(folder)
    try:
        tokens = {
            "good": gate.token,
            "revoked": gate.create_key("revoked"),
            "powerless": gate.run(
                *("keys", "create", "--name", "powerless", "--project", "demo", "--grid", "demo"),
                *("--environment", "development", "--permission", "telemetry.profiles.write"),
            ),
        }
        gate.run("keys", "revoke", "--yes", key_id(tokens["revoked"]))
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(lambda run: _alone(run, gate, tokens[run.case.key]), runs))
    finally:
        # It delivers everything before it ends.
        gate.stop()
    for run in runs:
        lake.check(gate, run)
        if run.case.key != "good" and not run.logged.strip():
            run.problems.append("told its user nothing")


def _alone(run, gate, token):
    addresses = {"grpc": gate.grpc, "http": gate.http}
    if not run.case.refuser:
        run.finish(run.start(addresses, token))
        return
    refuser = subprocess.Popen(
        [REFUSER, "--to-grpc", gate.grpc, "--to-http", gate.http, *run.case.refuser],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        addresses = dict(refuser.stdout.readline().strip().split("=") for _ in addresses)
        run.finish(run.start(addresses, token))
    finally:
        refused, _ = refuser.communicate()
    # One of each signal, without which nothing was seen of what the client does then.
    if refused.strip() != f"refused={len(run.combination.signals)}":
        run.problems.append(f"the front said {refused.strip()}")


def _in_step(runs, folder, jobs):
    """The gate restarts once for all the runs that are under way, so that these wait for each other."""
    if not runs:
        return
    gate = _gate(folder)
    try:
        for first in range(0, len(runs), jobs):
            _together(runs[first : first + jobs], gate)
    finally:
        gate.stop()
    for run in runs:
        lake.check(gate, run)


def _together(runs, gate):
    addresses = {"grpc": gate.grpc, "http": gate.http}
    processes = [run.start(addresses, gate.token) for run in runs]
    # What hangs must not hold up the others for ever.
    hang = threading.Timer(DEADLINE_SECONDS, lambda: [process.kill() for process in processes])
    hang.start()
    for batch in range(1, runs[0].case.batches + 1):
        if batch > 1:
            gate.stop()
            gate.start()
            for process in processes:
                # One that has ended is noticed below.
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write("\n")
                    process.stdin.flush()
        for run, process in zip(runs, processes, strict=True):
            if (line := process.stdout.readline().strip()) != f"sent {batch}":
                run.problems.append(f"said «{line}» instead of having sent batch {batch}")
    for run, process in zip(runs, processes, strict=True):
        run.finish(process)
    hang.cancel()
