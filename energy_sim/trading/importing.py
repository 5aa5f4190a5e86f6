"""A run folder written elsewhere, taken into the run store."""

import logging
from pathlib import Path

from energy_sim.runs import new_name, whole_folder, write_json
from energy_sim.trading.playback import read_folder
from energy_sim.trading.results import BASELINE, OPTIMISED

logger = logging.getLogger(__name__)

_COPIED = (
    *(f"{table}.{kind}" for table in (BASELINE, OPTIMISED, "households", "steps") for kind in ("csv", "parquet")),
    "prices.csv",
    "grid_capacity.csv",
    "params.json",
    "summary.json",
    "ledger.jsonl",
    "anchor.json",
    "checksums.json",
)


def import_run(folder: Path, store: Path) -> str:
    """Copy the files of a trading run into the store under a new name.

    Args:
        folder: with baseline_results.csv and optimized_results.csv; what else a run of this program has, such as
            params.json, summary.json, grid_capacity.csv and its ledger, is taken along where it is there.
        store: the folder of finished runs.

    Returns:
        The name of the run.

    Raises:
        DataError: the folder holds no trading run that can be read.
    """
    run = read_folder(folder)
    name = new_name("trading")
    with whole_folder(store / name) as target:
        for file in _COPIED:
            if (folder / file).is_file():
                (target / file).write_bytes((folder / file).read_bytes())
        if not (target / "params.json").is_file():
            write_json(target / "params.json", {})
        if not (target / "summary.json").is_file():
            write_json(target / "summary.json", _summary(run.ids, run.last_tick + 1, folder.name))
    logger.info("trading run imported from=%s as=%s", folder, name)
    return name


def _summary(ids: tuple[str, ...], steps: int, source: str) -> dict[str, object]:
    return {"households": len(ids), "household_ids": list(ids), "steps": steps, "imported_from": source}
