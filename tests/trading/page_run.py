"""Runs as the page opens them: real ones of the shipped homes, written into the run store of a configuration."""

from pathlib import Path

import yaml

from energy_sim.config import Config, load_config
from energy_sim.database import open_database
from energy_sim.runs import new_name
from energy_sim.trading.ledger.keys import read_or_make_operator_key
from energy_sim.trading.parameters import TradingParameters
from energy_sim.trading.pipeline import LedgerPlace, Request, write_run

HOMES = Path(__file__).resolve().parents[2] / "input" / "homes" / "homes.parquet"
_PLACES = {"uploads": "uploads", "jobs": "jobs", "operator_key": "operator.key", "anchors": "anchors.jsonl"}


def own_places(folder):
    """Section `trading` of a configuration that keeps keys, anchors, jobs and files in a folder."""
    return {name: str(folder / place) for name, place in _PLACES.items()}


def own_config(folder) -> Config:
    """A configuration with everything in a folder."""
    path = folder / "config.yaml"
    content = {
        "database": {"url": f"sqlite:///{folder}/k.db"},
        "logging": {"file": ""},
        "runs": {"folder": str(folder / "runs")},
        "trading": own_places(folder),
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_config(path)


def write_page_run(config, homes=30, steps=60, stop_after=None, **groups) -> str:
    """Simulate the first homes of the shipped year, seven of ten with a battery, and name the run."""
    asked = {
        "household": {"max_households": homes, "battery_probability": 0.7},
        "simulation": {"simulation_steps": steps},
        "optimizer": {"engine": "highs"},
    }
    parameters = TradingParameters.from_json(asked | groups)
    engine = open_database(config.database_url)
    key = read_or_make_operator_key(config.path(config.trading.operator_key))
    name = new_name("trading")
    place = LedgerPlace(engine, key, config.path(config.trading.anchors))
    folder = config.path(config.runs.folder) / name
    write_run(folder, Request(HOMES, parameters), place, lambda p: stop_after is None or p.done < stop_after)
    engine.dispose()
    return name
