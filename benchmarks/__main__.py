"""`python -m benchmarks`: measure every room, print one table, write benchmarks/latest.json."""

import json
import logging
import time
from pathlib import Path
from typing import Any

from benchmarks import agents, browser_pages, community, ledger, page, trading, viewers, zones
from benchmarks.measure import ROOT, Size, machine, table

ROOMS = {
    "zones core": zones.measure,
    "page, server's side": page.measure,
    "pages, browser": browser_pages.measure,
    "community core": community.measure,
    "community, many viewers": viewers.measure,
    "trading core": trading.measure,
    "trading, ledger": ledger.measure,
    "agents": agents.measure,
}
LATEST = ROOT / "benchmarks" / "latest.json"


def run(size: Size, target: Path) -> dict[str, Any]:
    """Measure everything at one size, print the table, write the JSON file and return what it holds."""
    began = time.perf_counter()
    found: dict[str, Any] = {"machine": machine()}
    rooms = {name: measure(size) for name, measure in ROOMS.items()}
    found["seconds"] = round(time.perf_counter() - began, 1)
    found["rooms"] = {name: [row.as_json() for row in rows] for name, rows in rooms.items()}
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(", ".join(f"{name} {value}" for name, value in found["machine"].items()))
    print(table(rooms))
    verdicts = [row.verdict for rows in rooms.values() for row in rows]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in ("met", "missed", "skipped"))
    print(f"{found['seconds']} s; budgets: {counts}; written to {target.name}")
    return found


if __name__ == "__main__":
    logging.disable(logging.INFO)
    run(Size(), LATEST)
