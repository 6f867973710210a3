"""Creates a key for each language in the console, runs the program that the console shows there, and looks for its span."""

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[2]
INTEROP, BUILT = ROOT / "interop", ROOT / "target/interop"
sys.path.insert(0, str(ROOT / "tests/sdk"))
for name in [name for name in os.environ if name.startswith("OTEL_")]:
    del os.environ[name]
for name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

import clients  # noqa: E402
from gate import DEADLINE_SECONDS, Gate  # noqa: E402

# A compiler may be slow; one that takes longer hangs.
BUILD_SECONDS = 300


@dataclass(frozen=True)
class Language:
    """A tab of the console. `client` is the folder beside this one whose packages the program needs; `files` are copied from there to
    where the program stands as `program`, and `run` is what runs it."""

    tab: str
    client: str
    program: str
    run: tuple[str, ...]
    files: tuple[str, ...] = ()


PYTHON = str(ROOT / ".venv/bin/python")
ALL = [
    Language("curl", "python", "first.sh", ("sh", "first.sh")),
    Language("Python", "python", "first.py", (PYTHON, "first.py")),
    Language("TypeScript", "node", "first.mjs", ("node", "first.mjs"), ("node_modules",)),
    Language("Go", "go", "main.go", ("go", "run", "."), ("go.mod", "go.sum")),
    Language("Java", "java", "FirstExport.java", ("java", "-cp", f"{BUILT}/java/lib/*", "FirstExport.java")),
    Language("Rust", "rust", "src/main.rs", ("cargo", "run", "--quiet", "--offline"), ("Cargo.toml", "Cargo.lock")),
]


def main():
    tabs = [language.tab for language in ALL]
    parser = argparse.ArgumentParser(prog="interop/snippets", description=__doc__)
    parser.add_argument("--only", choices=tabs, help="this language alone")
    only = parser.parse_args().only
    failed = 0
    with tempfile.TemporaryDirectory(prefix="gridgate-snippets-") as folder:
        gate = Gate(Path(folder))
        try:
            console = Console(gate)
            for language in ALL:
                if only in (None, language.tab):
                    said = check(gate, console, language, Path(folder) / language.tab)
                    failed += said not in ("ok", "skipped")
                    print(f"{language.tab:12} {said}", flush=True)
        finally:
            gate.stop()
    return 1 if failed else 0


def check(gate, console, language, folder):
    """`ok`, `skipped` where the toolchain is not on this machine, or what went wrong."""
    client, = clients.build(clients.find(INTEROP, [language.client]), BUILT / "logs", 1)
    if client.skipped:
        return "skipped"
    if client.failed:
        return client.failed
    name = f"first-{language.tab.lower()}"
    program = console.snippets_of_new_key(name)[language.tab]
    file = folder / language.program
    file.parent.mkdir(parents=True)
    file.write_text(program + "\n")
    for one in language.files:
        there = INTEROP / language.client / one
        if there.is_dir():
            (folder / one).symlink_to(there)
        else:
            # In Rust a package of its own, which shares what that client has compiled.
            (folder / one).write_text(there.read_text().replace('name = "interop-rust"', 'name = "first-export"'))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GRIDGATE_")}
    environment["CARGO_TARGET_DIR"] = str(BUILT / "rust")
    done = subprocess.run(
        language.run, cwd=folder, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    if done.returncode != 0:
        return f"exited with {done.returncode}\n{done.stderr}"
    signal = "logs" if language.tab == "curl" else "traces"
    rows = gate.rows("demo/demo/production", signal, name)
    if len(rows) != 1 or (signal == "traces" and rows[0]["name"] != "first-export"):
        return f"{len(rows)} rows are stored: {rows}"
    return "ok"


class Console:
    """The console, as somebody with the key of quickstart."""

    def __init__(self, gate):
        self._gate = gate
        answer, _ = self._send("POST", "/sign-in", {"key": gate.variables["GRIDGATE_ADMIN_KEY"]})
        assert answer.status == 303, answer.status
        self._cookie = answer.getheader("set-cookie").split(";")[0]

    def snippets_of_new_key(self, name):
        """Creates a key of that name for production, and returns what its card copies, by tab."""
        _, form = self._send("GET", "/keys/new?project=demo&grid=demo")
        fields = form.hidden | {"name": name, "project": "demo", "grid": "demo", "environment": "production", "role": "ingest"}
        answer, card = self._send("POST", "/keys/new", fields | {"expires": "30", "format": "token"})
        assert answer.status == 200 and card.copied, answer.status
        return card.copied

    def _send(self, method, path, fields=None):
        connection = http.client.HTTPConnection(self._gate.admin, timeout=DEADLINE_SECONDS)
        headers = {"content-type": "application/x-www-form-urlencoded"} if fields else {}
        if hasattr(self, "_cookie"):
            headers["cookie"] = self._cookie
        connection.request(method, f"/console{path}", urlencode(fields or {}) or None, headers)
        answer = connection.getresponse()
        page = _Page()
        page.feed(answer.read().decode())
        connection.close()
        return answer, page


class _Page(HTMLParser):
    """The hidden fields of a page, and what its buttons copy."""

    def __init__(self):
        super().__init__()
        self.hidden, self.copied = {}, {}

    def handle_starttag(self, tag, attributes):
        of = dict(attributes)
        if tag == "input" and of.get("type") == "hidden":
            self.hidden[of["name"]] = of.get("value", "")
        if tag == "button" and "data-copy" in of and of.get("aria-label", "").startswith("Copy "):
            self.copied[of["aria-label"].removeprefix("Copy ")] = of["data-copy"]


if __name__ == "__main__":
    sys.exit(main())
