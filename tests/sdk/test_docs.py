"""The queries in docs/lake.md run as they stand, on a real lake, and find something."""

import os
import re

import duckdb
import pytest

import telemetry
from gate import ROOT, eventually

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
