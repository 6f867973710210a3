"""Sends with every client through every case against the real gate, reads back what was stored, and prints a table."""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/sdk"))
# Neither a proxy of the machine nor settings of the caller's shell may get between the clients and the loopback address.
for name in [name for name in os.environ if name.startswith("OTEL_")]:
    del os.environ[name]
for name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

import cases  # noqa: E402
import clients  # noqa: E402
import docs  # noqa: E402
import session  # noqa: E402
import table  # noqa: E402

OUTPUT = ROOT / "target/interop/logs"


def main():
    options = _options()
    began = time.monotonic()
    found = clients.find(ROOT / "interop", options.only)
    built = clients.build(found, OUTPUT, options.jobs)
    print(f"built in {time.monotonic() - began:.0f} s", file=sys.stderr)
    runs = [
        session.Run(client, combination, case, OUTPUT)
        # Those that wait longest first, and neighbours of different clients, so that there is always something to do.
        for case in sorted(cases.ALL, key=lambda case: not case.refuser)
        if case.name in (options.case or [case.name])
        for client in built
        if client.ready
        for combination in client.combinations
    ]
    for run in runs:
        shutil.rmtree(run.folder, ignore_errors=True)
        run.folder.mkdir(parents=True)
    session.carry_out(runs, OUTPUT, options.jobs)
    if options.docs:
        docs.regenerate(ROOT / "docs/clients.md", runs)
    ok = table.show(built, runs)
    print(f"interop took {time.monotonic() - began:.0f} s; what clients logged is in {OUTPUT.relative_to(ROOT)}")
    return 0 if ok else 1


def _options():
    parser = argparse.ArgumentParser(prog="interop/run", description=__doc__)
    names = clients.names(ROOT / "interop")
    parser.add_argument("--only", type=_one_of(names), help=f"these clients, separated by commas: {', '.join(names)}")
    all_cases = [case.name for case in cases.ALL]
    parser.add_argument("--case", type=_one_of(all_cases), help=f"these cases: {', '.join(all_cases)}")
    parser.add_argument("--jobs", type=int, default=8, help="clients at the same time (they mostly wait)")
    parser.add_argument("--docs", action="store_true", help="write what was logged into docs/clients.md")
    return parser.parse_args()


def _one_of(known):
    def parse(text):
        given = text.split(",")
        if unknown := sorted(set(given) - set(known)):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
        return given

    return parse


sys.exit(main())
