"""What clients log, into docs/clients.md: between `<!-- logged: <client> <protocol> -->` and `<!-- end -->`."""

import re

_BLOCK = re.compile(r"(<!-- logged: (\S+) (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)

# The cases that are shown, and what happened in them. No gate refuses without a hint where it could give one.
_SHOWN = {
    "401": "401, a revoked key",
    "403": "403, a key without permission for the signal",
    "429": "429 with a hint, once",
    "503": "503 with a hint, once",
}

# What differs from one run to the next, or says nothing about the answer.
_NORMALISED = [
    # Colours of a terminal.
    (r"\x1b\[[0-9;]*m", ""),
    # Stack traces: frames of JavaScript inside JSON, of JavaScript or Java on lines of their own, of Go.
    (r"(\\n +at [^\"\\]*(\\u[0-9a-f]{4}|\\[^nu])*[^\"\\]*)+(\\nfor call at)?(\\n +at [^\"\\]*)*", r"\\n    …"),
    (r"(\n\s+at [^\n]*)+(\n\s+\.\.\. \d+ (more|common frames omitted))?", r"\n    …"),
    (r"(127\.0\.0\.1|localhost):\d+", "gate"),
    (r"key_[0-9A-Za-z]{12}", "key_7Hq2mZxK9wPa"),
    (r"[\w-]*\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:?\d\d)?", "2026-01-01T00:00:00Z"),
    (r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", "2026/01/01 00:00:00"),
    (r"[A-Z][a-z]{2} \d\d?, \d{4} \d\d?:\d\d:\d\d [AP]M", "Jan 01, 2026 0:00:00 AM"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "00000000-0000-0000-0000-000000000000"),
    (r"(?<=retrying in )\d\.\d\ds", "1.00s"),
    (r"\"interval\": ?\"[^\"]*\"", '"interval": "1s"'),
    (r"/\S*/(?=interop/)", "/"),
]

# What tells apart the lines of different signals. Of such the one of traces is shown.
_SIGNALS = re.compile(r"(?i)spans?|traces?|metrics?|logs?")
_TRACES = re.compile(r"(?i)span|trace")

_MOST_LINES = 12
_LONGEST_LINE = 600


def regenerate(file, runs):
    """Writes every block anew of which there is a run. The others stay as they are."""

    def block(match):
        start, client, protocol, end = match.groups()
        return start + (_cases(client, protocol, runs) or match.group(0)[len(start) : -len(end)]) + end

    file.write_text(_BLOCK.sub(block, file.read_text()))


def _cases(client, protocol, runs):
    """The text of one block; nothing if there was no run of it. Compression makes no difference to answers."""
    text = ""
    for case, title in _SHOWN.items():
        of_case = [
            run
            for run in runs
            if (run.client.name, run.combination.protocol, run.case.name) == (client, protocol, case)
        ]
        if of_case:
            lines = _telling(of_case[0])
            text += f"\n{title}:\n\n" + ("\n".join(["```text", *lines, "```\n"]) if lines else "> (nothing)\n")
    return text and text + "\n"


def _telling(run):
    """The lines that the client logs because of the refusal, with one for all the signals."""
    success = run.folder.parent / "success/stderr"
    usual = _lines(success.read_text(errors="replace")) if success.exists() else []
    lines = {}
    for line in _lines(run.logged):
        if line not in usual:
            alike = _SIGNALS.sub("", line)
            lines[alike] = min(lines.get(alike, line), line, key=lambda line: (not _TRACES.search(line), line))
    shown = [line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + "…" for line in lines.values()]
    return shown if len(shown) <= _MOST_LINES else [*shown[:_MOST_LINES], "…"]


def _lines(text):
    for pattern, replacement in _NORMALISED:
        text = re.sub(pattern, replacement, text)
    # Bytes of protobuf, as they were logged.
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "\N{REPLACEMENT CHARACTER}", text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]
