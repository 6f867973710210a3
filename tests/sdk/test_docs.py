"""What the documents say to run works as it stands: the queries of docs/lake.md on a real lake, where they find something, and
the gate's part of the recipe in docs/forwarding.md."""

import os
import re

import duckdb
import pytest

import telemetry
from gate import ROOT, Gate, eventually

SERVICE = "shop"
TENANT = "demo/demo/development"


@pytest.fixture(scope="module")
def lake(gate):
    """The folder in which `lake` has all four signals of project, grid and environment as in the document."""
    for signal, made in [
        ("traces", telemetry.spans(SERVICE)),
        ("metrics", telemetry.metrics(SERVICE)[0]),
        ("logs", telemetry.logs(SERVICE)),
    ]:
        assert telemetry.export(telemetry.exporter(gate, signal), made)
    status, answer = gate.post(
        "/v1development/profiles", telemetry.profiles(SERVICE), content_type="application/x-protobuf"
    )
    assert status == 200, answer
    for signal in ("traces", "metrics", "logs", "profiles"):
        eventually(f"{signal} in the lake", lambda signal=signal: gate.rows_now(TENANT, signal, SERVICE))
    return gate.data


def test_the_queries_of_the_document(lake, monkeypatch):
    document = (ROOT / "docs/lake.md").read_text()
    blocks = re.findall(r"^```sql\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    assert blocks, "the document has no queries"
    assert os.path.isdir(lake / "lake")
    monkeypatch.chdir(lake)
    queries = 0
    with duckdb.connect() as database:
        for block in blocks:
            for statement in database.extract_statements(block):
                rows = database.execute(statement).fetchall()
                if statement.type == duckdb.StatementType.SELECT:
                    assert rows, f"this found nothing:\n{statement.query}"
                    queries += 1
    assert queries > 0, "the document only defines, and asks nothing"


def test_the_recipe_of_forwarding(tmp_path):
    document = (ROOT / "docs/forwarding.md").read_text()
    recipe = document[document.index("## Put Gridgate") : document.index("## Routes")]
    (configuration,) = re.findall(r"^```toml\n(.*?)^```", recipe, re.MULTILINE | re.DOTALL)
    (path, body) = re.search(r"^curl .*127\.0\.0\.1:4318(\S+) .*? -d '(.*?)'$", recipe, re.MULTILINE | re.DOTALL).groups()
    (tmp_path / "gridgate.toml").write_text(configuration)
    gate = Gate(tmp_path, GRIDGATE_CONFIG=str(tmp_path / "gridgate.toml"))
    try:
        # No Collector runs here: it is accepted all the same, and waits.
        assert gate.post(path, body.encode()) == (200, b"{}")
        waiting = re.compile(r'^gridgate_forward_backlog_bytes\{destination="collector"\} [1-9]', re.MULTILINE)
        eventually("it waits for the Collector", lambda: waiting.search(gate.metrics()))
    finally:
        gate.stop()
