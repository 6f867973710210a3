"""Fixtures of the tests that drive the real binary with real SDKs."""

import os
import uuid

import pytest

# A proxy of the machine must not get between the SDKs and the loopback address; nor may settings of the caller's shell.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
for name in [name for name in os.environ if name.startswith("OTEL_")]:
    del os.environ[name]

from gate import Gate  # noqa: E402


@pytest.fixture(scope="session")
def gate(tmp_path_factory):
    """A gate that all tests share; each has services or keys of its own. It has to stop in order at the end."""
    gate = Gate(tmp_path_factory.mktemp("gate"))
    yield gate
    gate.stop()


@pytest.fixture
def service():
    """A `service.name` that no other test uses."""
    return f"service-{uuid.uuid4()}"
