"""The table that a session ends with."""

import cases


def show(clients, runs):
    """Prints the table and every problem, and says whether there was none."""
    shown = [case.name for case in cases.ALL if any(run.case is case for run in runs)]
    rows = [["client", "sends", *shown]]
    for client in clients:
        if not client.ready:
            rows.append([client.name, "", "skipped (toolchain)" if client.skipped else "FAILED to build"])
            continue
        for combination in client.combinations:
            by_case = {run.case.name: run for run in runs if (run.client, run.combination) == (client, combination)}
            cells = [("FAILED" if by_case[name].problems else "ok") if name in by_case else "" for name in shown]
            rows.append([client.name, str(combination), *cells])
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(2)]
    for row in rows:
        left = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        print(left, *(cell.ljust(max(len(name), 6)) for cell, name in zip(row[2:], shown, strict=False)), sep="  ")

    for client in clients:
        if not client.ready:
            print(f"{client.name}: {client.skipped or client.failed}")
    failed = [run for run in runs if run.problems]
    for run in failed:
        print(f"FAILED {run.client.name} {run.combination} {run.case.name}: {'; '.join(run.problems)}")
        print(_indented(run.logged))
    print(f"interop: {len(runs) - len(failed)} passed, {len(failed)} failed")
    return not failed and not any(client.failed for client in clients)


def _indented(text, most=2000):
    return "".join(f"  | {line}\n" for line in text[-most:].splitlines())
