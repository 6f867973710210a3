"""The real binary as a child process, and what a test does with it: its keys, its command line, its lake."""

import json
import os
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("GRIDGATE_BIN", ROOT / "target/debug/gridgate"))

# No condition takes nearly as long on a working gate, however busy the machine.
DEADLINE_SECONDS = 60

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def eventually(what, condition):
    """The first true value that `condition` gives. Once the deadline is over, a failure that says `what` was awaited."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS} s: {what}"
        time.sleep(0.05)
    return value


class Gate:
    """`gridgate quickstart` in a folder of its own, on ports of its own, with `settings` as environment variables."""

    def __init__(self, folder, **settings):
        self._folder = folder
        self.data = folder / "data"
        self._stdout, self._stderr = folder / "stdout", folder / "stderr"
        self.grpc, self.http, self.admin = (f"127.0.0.1:{port}" for port in _free_ports(3))
        self._environment = _clean_environment() | {"GRIDGATE_KEYS__MAX_ACTIVE_KEYS": "1000"} | settings | {
            "GRIDGATE_LISTEN__GRPC": self.grpc,
            "GRIDGATE_LISTEN__HTTP": self.http,
            "GRIDGATE_LISTEN__ADMIN": self.admin,
        }
        self.start()

    def start(self):
        """Starts it, for the first time or again after `stop`: where it was, with what it had."""
        with self._stdout.open("ab") as stdout, self._stderr.open("ab") as stderr:
            self._process = subprocess.Popen(
                [BINARY, "quickstart", "--data", self.data],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        try:
            eventually("the gate is ready", self._is_ready)
            self.variables = eventually("the gate has printed its keys", self._printed_variables)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    @property
    def token(self):
        """The ingest token of project `demo`, grid `demo`, environment `development`."""
        name, _, token = self.variables["OTEL_EXPORTER_OTLP_HEADERS"].partition("=")
        assert name == "api-key"
        return token

    def stop(self):
        """Asks it to stop, and checks that it went in order."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        assert code == 0, f"exit code {code}\n{self._stderr.read_text()}"

    def run(self, *arguments):
        """What the command line prints to stdout, as the admin of quickstart."""
        admin = {name: self.variables[name] for name in ("GRIDGATE_ADMIN_URL", "GRIDGATE_ADMIN_KEY")}
        done = subprocess.run(
            [BINARY, *arguments],
            env=_clean_environment() | admin,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"gridgate {shlex.join(arguments)}: {done.returncode}\n{done.stderr}"
        return done.stdout.strip()

    def create_key(self, name, grid="demo", environment="development", limits=()):
        """The token of a new ingest key in project `demo`."""
        binding = ["--project", "demo", "--grid", grid, "--environment", environment]
        return self.run("keys", "create", "--name", name, *binding, *(f"--limit={limit}" for limit in limits))

    def show(self, *arguments):
        """What a command of the command line shows, as JSON."""
        return json.loads(self.run(*arguments, "--output", "json"))

    def post(self, path, body, content_type="application/json", token=None):
        """Status and JSON of the answer to an export over HTTP."""
        headers = {"content-type": content_type, "api-key": token or self.token}
        request = urllib.request.Request(f"http://{self.http}{path}", data=body, headers=headers)
        try:
            with _direct.open(request, timeout=DEADLINE_SECONDS) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def logged(self):
        """What it has written to stderr."""
        return self._stderr.read_text()

    def metrics(self):
        """What the admin listener says to Prometheus."""
        with _direct.open(f"http://{self.admin}/metrics", timeout=DEADLINE_SECONDS) as answer:
            return answer.read().decode()

    def files(self, tenant="*/*/*", signal="*"):
        """The Parquet files of a tenant (`project/grid/environment`) and signal."""
        return sorted(str(file) for file in self.data.glob(f"lake/{tenant}/{signal}/**/*.parquet"))

    def rows(self, tenant, signal, service, columns="*"):
        """The rows of one service in a tenant's lake, as dictionaries. Waits until there are any."""
        return eventually(
            f"{signal} of {service} in the lake of {tenant}",
            lambda: self.rows_now(tenant, signal, service, columns),
        )

    def rows_now(self, tenant, signal, service, columns="*"):
        """The rows of one service in a tenant's lake at this moment, as dictionaries with `filename`."""
        files = self.files(tenant, signal)
        if not files:
            return []
        sql = f"SELECT {columns}, filename FROM read_parquet(?, filename = true) WHERE service_name = ?"
        with duckdb.connect() as database:
            result = database.execute(sql, [files, service])
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def _is_ready(self):
        assert self._process.poll() is None, f"the gate ended at its start\n{self._stderr.read_text()}"
        try:
            with _direct.open(f"http://{self.admin}/readyz", timeout=DEADLINE_SECONDS) as answer:
                return answer.status == 200
        except OSError:
            return False

    def _printed_variables(self):
        variables = _variables(self._stdout.read_text().rpartition("\n")[0])
        return variables if "OTEL_EXPORTER_OTLP_HEADERS" in variables else None


def key_id(token):
    """The public id of a token's key, see docs/token-format.md."""
    return f"key_{token.split('_')[-2]}"


def attributes(column):
    """The attributes in a column of the lake, as Python values."""
    return {attribute["key"]: any_value(attribute) for attribute in column}


def any_value(struct):
    """A value of any type in the lake, see docs/lake.md."""
    kind = struct["type"]
    if kind in ("array", "kvlist"):
        return _from_json(json.loads(struct["json_value"]))
    return None if kind in (None, "empty") else struct[f"{kind}_value"]


def _from_json(value):
    """A value from the ProtoJSON of `AnyValue`, in which 64-bit integers are strings."""
    match value:
        case {"arrayValue": {"values": values}}:
            return [_from_json(element) for element in values]
        case {"kvlistValue": {"values": pairs}}:
            return {pair["key"]: _from_json(pair["value"]) for pair in pairs}
        case {"arrayValue": _}:
            return []
        case {"kvlistValue": _}:
            return {}
        case {"intValue": number}:
            return int(number)
        case {"doubleValue": number}:
            return float(number)
        case {"stringValue": value} | {"boolValue": value}:
            return value
        case {} if not value:
            return None
    raise AssertionError(f"not the ProtoJSON of a value: {value}")


def _variables(stdout):
    """What quickstart prints: nothing but lines that a shell can read as assignments."""
    variables = {}
    for line in stdout.splitlines():
        name, equals, value = line.partition("=")
        assert equals and name.isidentifier() and shlex.split(value) == [value], f"not an assignment: {line}"
        variables[name] = value
    return variables


def _free_ports(count):
    # All of them are open at once, so that no two are the same.
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _clean_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(("GRIDGATE_", "OTEL_"))}
