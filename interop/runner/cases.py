"""The cases, and what becomes of the data in each of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A situation in which clients send.

    `refuser` are the options of examples/refuse.rs, which then stands in front of the gate; `key` is whose key is used;
    `batches` is how many are sent, with a restart of the gate before each but the first; `retried` says whether a client that
    keeps to the specification sends again, by transport.
    """

    name: str
    refuser: tuple[str, ...] = ()
    key: str = "good"
    batches: int = 1
    retried: frozenset[str] = frozenset({"grpc", "http"})

    def stored(self, client, combination):
        """Whether every signal is in the lake in the end."""
        if self.key != "good":
            return False
        deviation = DEVIATIONS.get((client.name, combination.transport, self.name))
        return combination.transport in self.retried if deviation is None else deviation


ALL = [
    Case("success"),
    Case("401", key="revoked"),
    Case("403", key="powerless"),
    Case("429", refuser=("--reason", "rate_limited")),
    # Without a hint, RESOURCE_EXHAUSTED is not retryable (OTLP specification, «OTLP/gRPC Throttling»), while 429 always is.
    Case("429-no-hint", refuser=("--reason", "rate_limited", "--no-hint"), retried=frozenset({"http"})),
    Case("503", refuser=("--reason", "overloaded")),
    Case("restart", batches=2),
]

# Where an SDK does not do what the specification asks for, as measured: whether what was refused once is stored in the end.
DEVIATIONS = {
    ("python", "grpc", "429-no-hint"): True,
    ("java", "grpc", "429-no-hint"): True,
    ("node", "grpc", "429"): False,
    ("node", "grpc", "503"): False,
}
