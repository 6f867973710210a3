"""Starts a gate and holds its admin API against the description that it serves: `python tests/api/run.py [options of schemathesis]`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sdk"))

from gate import Gate  # noqa: E402

# More requests than any client may send, and every route.
SETTINGS = {
    "GRIDGATE_LEAKS__KEYS_FILE": str(HERE / "leak-keys.json"),
    # Enough that some keys are active, and few enough that some are too many.
    "GRIDGATE_KEYS__MAX_ACTIVE_KEYS": "20",
    # Webhooks are sent to the gate itself, where nobody takes them.
    "GRIDGATE_WEBHOOKS__ALLOW_HTTP": "true",
    "GRIDGATE_WEBHOOKS__ALLOW_NETWORKS": '["127.0.0.0/8"]',
    "GRIDGATE_ADMIN__REQUESTS_PER_SECOND": "1000000",
    "GRIDGATE_ADMIN__BURST": "1000000",
    "GRIDGATE_ADMIN__UNAUTHENTICATED_PER_MINUTE": "1000000",
}


def main():
    with tempfile.TemporaryDirectory() as folder:
        gate = Gate(Path(folder), **SETTINGS)
        token = gate.variables["GRIDGATE_ADMIN_KEY"]
        environment = os.environ | {
            "GRIDGATE_ADMIN_KEY": token,
            "GRIDGATE_OWN_KEY": "key_" + token.split("_")[1],
            "GRIDGATE_RECEIVER": f"http://{gate.admin}/receiver",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "run"]
        url = f"http://{gate.admin}/api/v1/openapi.json"
        checked = subprocess.run([*command, *sys.argv[1:], url], cwd=HERE, env=environment, check=False)
        gate.stop()
    return checked.returncode


if __name__ == "__main__":
    sys.exit(main())
