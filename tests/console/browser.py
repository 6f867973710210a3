"""A browser on the console, and what tests do with it."""

import os
import shutil
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe

# Debian's; the tests install no browser of their own.
CHROMIUM = os.environ.get("GRIDGATE_TEST_CHROMIUM") or shutil.which("chromium")

# What keeps a browser on a machine without a network from looking for one.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# The levels of WCAG 2.2 AA.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Console:
    """One visitor: a page of a browser of its own, with its cookies. What the browser complains about fails the test."""

    def __init__(self, context, gate, base="/console"):
        self.context = context
        self.gate = gate
        self.url = f"http://localhost:{gate.admin.rpartition(':')[2]}{base}"
        self.page = context.new_page()
        self.complaints = []
        # Sign-in that fails, and pages that are not there, are answers that tests ask for.
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message):
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(f"{message.type}: {message.text} ({message.location})")

    def open(self, path=""):
        """Opens a page of the console."""
        return self.page.goto(f"{self.url}{path}", wait_until="load")

    def sign_in(self, token=None):
        """Signs in, as the owner of quickstart or with another admin key."""
        self.open("/sign-in")
        self.page.get_by_label("Admin key").fill(token or self.gate.variables["GRIDGATE_ADMIN_KEY"])
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "sign-in" not in url and "signed-in" not in url)
        return self

    def is_accessible(self):
        """Holds the page against WCAG 2.2 AA, as far as axe can see."""
        found = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": RULES}})
        violations = [
            f"{one['id']}: {one['help']}\n    " + "\n    ".join(node["html"][:200] for node in one["nodes"][:5])
            for one in found.response["violations"]
        ]
        assert not violations, f"{self.page.url}\n" + "\n".join(violations)

    def fits(self):
        """No sideways scrolling of the whole page."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{self.page.url} is {wide} px wider than the window"

    def picture(self, path: Path, full=True):
        """A picture of the page."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=full, animations="disabled")

    def close(self):
        """Closes it, and tells what the browser complained about."""
        self.context.close()
        assert not self.complaints, "\n".join(self.complaints)
