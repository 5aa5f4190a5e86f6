"""Small grids and resources for tests of the pure core: a row is (id, transformer, kind, wanted, min, max)."""

from collections.abc import Sequence

import numpy as np

from energy_sim.agents.model import KINDS, Grid, Resources, Tie, Transformer

Row = tuple[str, int, str, float, float, float]


def make_resources(rows: Sequence[Row], fixed: Sequence[str] = (), low_soc: Sequence[str] = (), past=None) -> Resources:
    ids = tuple(row[0] for row in rows)
    wanted = np.array([row[3] for row in rows], dtype=float)
    agents = sorted({name.partition("/")[0] for name in ids})
    return Resources(
        ids=ids,
        agent=np.array([agents.index(name.partition("/")[0]) for name in ids], dtype=np.int64),
        transformer=np.array([row[1] for row in rows], dtype=np.int64),
        kind=np.array([KINDS.index(row[2]) for row in rows], dtype=np.int64),
        wanted_kw=wanted,
        power_kw=wanted.copy(),
        min_kw=np.array([row[4] for row in rows], dtype=float),
        max_kw=np.array([row[5] for row in rows], dtype=float),
        flexible=np.array([name not in fixed for name in ids]),
        may_discharge=np.array([name not in low_soc for name in ids]),
        past_kwh=np.zeros(len(rows)) if past is None else np.array(past, dtype=float),
    )


def make_grid(*names: str, limit_kw: float = 12.0, export_kw: float = 20.0, ties: Sequence[tuple] = ()) -> Grid:
    return Grid(tuple(Transformer(name, limit_kw, export_kw) for name in names), tuple(Tie(*tie) for tie in ties))
