"""What of a run is in the lake."""

from gate import attributes

TENANT = "demo/demo/development"

# Every item that a client sends has these attributes, as far as its language and SDK can express them.
ATTRIBUTES = {
    "interop.string": "text",
    "interop.bool": True,
    "interop.int": 2**53 + 1,
    "interop.double": 0.5,
    "interop.strings": ["a", "b"],
    "interop.bytes": b"\x00\xff",
    # Instead of `interop.int`, where numbers are doubles.
    "interop.int.even": 2**53 + 2,
}
# Each item has one of each of these.
REQUIRED = [{"interop.string"}, {"interop.bool"}, {"interop.double"}, {"interop.int", "interop.int.even"}]


def check(gate, run):
    """Notes what of the run is missing, is there too often, or is not what was sent."""
    expected = run.case.batches if run.case.stored(run.client, run.combination) else 0
    for signal in run.combination.signals:
        rows = gate.rows_now(TENANT, signal, run.service)
        if len(rows) != expected:
            run.problems.append(f"{signal}: {len(rows)} of {expected} stored")
        for row in rows:
            run.problems.extend(f"{signal}: {problem}" for problem in _differences(attributes(row["attributes"])))


def _differences(found):
    for key, value in found.items():
        # `True == 1` and `1 == 1.0`, but neither is what was sent.
        if key in ATTRIBUTES and (value != ATTRIBUTES[key] or type(value) is not type(ATTRIBUTES[key])):
            yield f"{key} is {value!r}"
    for keys in REQUIRED:
        if not keys & found.keys():
            yield f"{' or '.join(sorted(keys))} is missing"
