"""The client programs: which there are, what each of them offers, and their building."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

# What `build` exits with where the toolchain of the client is not on this machine.
NO_TOOLCHAIN = 3


@dataclass(frozen=True)
class Combination:
    """A way in which a client sends."""

    protocol: str
    compression: str
    signals: tuple[str, ...]

    @property
    def transport(self):
        return "grpc" if self.protocol == "grpc" else "http"

    def __str__(self):
        return f"{self.protocol} {self.compression}"


@dataclass
class Client:
    """One folder beside this one. `skipped` and `failed` say why it was not built."""

    folder: Path
    combinations: list[Combination] = field(default_factory=list)
    skipped: str | None = None
    failed: str | None = None

    @property
    def name(self):
        return self.folder.name

    @property
    def ready(self):
        return self.skipped is None and self.failed is None


def names(interop):
    """The folders that hold a client."""
    return sorted(file.parent.name for file in interop.glob("*/supports"))


def find(interop, only=None):
    """The clients, or those of them that `only` names."""
    return [Client(interop / name, _supports(interop / name)) for name in only or names(interop)]


def build(clients, output, jobs):
    """Prepares all of them. What each build printed is in `output`."""
    output.mkdir(parents=True, exist_ok=True)
    # More at once would only get in each other's way: compilers do not wait, they work.
    with ThreadPoolExecutor(min(jobs, 2)) as pool:
        list(pool.map(lambda client: _build(client, output), clients))
    return clients


def _build(client, output):
    log = output / f"{client.name}.build"
    with log.open("wb") as file:
        code = subprocess.run(
            [client.folder / "build"], stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False
        ).returncode
    printed = log.read_text(errors="replace").strip()
    if code == NO_TOOLCHAIN:
        client.skipped = printed.splitlines()[-1] if printed else "its toolchain is missing"
    elif code != 0:
        client.failed = f"build exited with {code}\n{printed}"


def _supports(folder):
    lines = (folder / "supports").read_text().splitlines()
    combinations = []
    for protocol, compression, signals in (line.split() for line in lines if line.strip()):
        combinations.append(Combination(protocol, compression, tuple(signals.split(","))))
    return combinations
