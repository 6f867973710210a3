"""Fixtures of the tests that drive the console in a real browser, on the real binary."""

import os

import pytest
from playwright.sync_api import sync_playwright

# A proxy of the machine must not get between the browser and the loopback address; nor may settings of the caller's shell.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
for name in [name for name in os.environ if name.startswith("OTEL_")]:
    del os.environ[name]

from browser import CHROMIUM, FLAGS, Console  # noqa: E402
from furnished import furnish  # noqa: E402
from gate import Gate  # noqa: E402


SETTINGS = {
    # Tests do in a second what people do in minutes.
    "GRIDGATE_ADMIN__REQUESTS_PER_SECOND": "1000",
    "GRIDGATE_ADMIN__BURST": "1000",
    "GRIDGATE_ADMIN__UNAUTHENTICATED_PER_MINUTE": "1000",
    "GRIDGATE_USAGE__FLUSH_INTERVAL": "1s",
    "GRIDGATE_SENDERS__FLUSH_INTERVAL": "1s",
    "GRIDGATE_REFUSALS__FLUSH_INTERVAL": "1s",
    "GRIDGATE_REQUESTS__INTERVAL": "1s",
    "GRIDGATE_KEYS__LAST_USED_INTERVAL": "1s",
}


@pytest.fixture(scope="session")
def gate(tmp_path_factory):
    """A gate that all tests share. It has to stop in order at the end."""
    gate = Gate(tmp_path_factory.mktemp("gate"), **SETTINGS)
    yield gate
    gate.stop()


@pytest.fixture(scope="session")
def furnished(tmp_path_factory):
    """A gate with something on every page, for those who only look; and the path of the key to look at."""
    gate = Gate(tmp_path_factory.mktemp("furnished"), **SETTINGS)
    yield gate, furnish(gate)
    gate.stop()


@pytest.fixture(scope="session")
def chromium():
    """The browser."""
    assert CHROMIUM, "chromium is not installed; scripts/test --install-only does that"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium, gate):
    """Makes visitors, each with a browser of its own. `options` are those of Playwright's `new_context`."""
    all_of_them = []

    def new(gate=gate, base="/console", **options):
        options.setdefault("viewport", {"width": 1440, "height": 900})
        context = chromium.new_context(**options)
        context.set_default_timeout(20_000)
        all_of_them.append(Console(context, gate, base))
        return all_of_them[-1]

    yield new
    for one in all_of_them:
        one.close()


@pytest.fixture
def owner(visitor):
    """A visitor who is signed in as the owner."""
    return visitor().sign_in()
