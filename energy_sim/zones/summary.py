"""A simulated period as tables: one row a day, a zone and day, or a transfer. Column names are the file formats."""

import numpy as np
import pandas as pd

from energy_sim.zones import kernel as k
from energy_sim.zones.simulator import Period

_IMPORTS = [k.P2H1, k.P2H2, k.P4H1, k.P4H2]


def daily_summary(period: Period) -> pd.DataFrame:
    """One row a day, all zones together, MWh: demand and what covered it, losses, spill."""
    total = period.series.sum(axis=1)
    lost = period.trace[:, k.SENT] - period.trace[:, k.DELIVERED]
    days = period.trace[:, k.DAY].astype(np.int64)
    return pd.DataFrame(
        {
            "date": iso_dates(period),
            "demand_mwh": total[:, k.DEMAND],
            "wind_used_mwh": total[:, k.WIND_USED],
            "import_phase2_mwh": total[:, k.P2H1] + total[:, k.P2H2],
            "local_hydro_mwh": total[:, k.LOCAL_HYDRO],
            "import_phase4_mwh": total[:, k.P4H1] + total[:, k.P4H2],
            "unmet_mwh": total[:, k.UNMET],
            "import_one_hop_mwh": total[:, k.P2H1] + total[:, k.P4H1],
            "import_two_hop_mwh": total[:, k.P2H2] + total[:, k.P4H2],
            "wind_export_mwh": total[:, k.WIND_EXPORT],
            "spill_mwh": total[:, k.SPILL],
            "loss_mwh": np.bincount(days, weights=lost, minlength=len(period.dates)),
        }
    )


def zone_metrics(period: Period) -> pd.DataFrame:
    """One row a day and zone, MWh; storage at the end of the day, also in percent of the reservoir's capacity."""
    days, zones, _ = period.series.shape
    flat = period.series.reshape(days * zones, -1)
    capacity = np.tile([zone.hydro_max_mwh for zone in period.network.zones], days)
    return pd.DataFrame(
        {
            "date": np.repeat(iso_dates(period), zones),
            "zone": np.tile(np.array(period.network.ids, dtype=object), days),
            "demand_mwh": flat[:, k.DEMAND],
            "wind_potential_mwh": flat[:, k.WIND_POTENTIAL],
            "wind_used_mwh": flat[:, k.WIND_USED],
            "wind_export_mwh": flat[:, k.WIND_EXPORT],
            "local_hydro_mwh": flat[:, k.LOCAL_HYDRO],
            "exported_hydro_mwh": flat[:, k.EXPORTED_HYDRO],
            "import_p2h1_mwh": flat[:, k.P2H1],
            "import_p2h2_mwh": flat[:, k.P2H2],
            "import_p4h1_mwh": flat[:, k.P4H1],
            "import_p4h2_mwh": flat[:, k.P4H2],
            "imported_mwh": flat[:, _IMPORTS].sum(axis=1),
            "unmet_mwh": flat[:, k.UNMET],
            "water_used_mwh": flat[:, k.WATER_USED],
            "inflow_mwh": flat[:, k.INFLOW],
            "spill_mwh": flat[:, k.SPILL],
            "dry_shortfall_mwh": flat[:, k.DRY_SHORTFALL],
            "level_mwh": flat[:, k.LEVEL],
            "level_pct": 100.0 * flat[:, k.LEVEL] / capacity,
        }
    )


def transfer_table(period: Period, with_source: bool = False) -> pd.DataFrame:
    """One row a transfer, MWh, in the order in which they were made.

    Args:
        period: the simulated days.
        with_source: add the column `source` (hydro | wind), which only differs when surplus wind is shared.
    """
    network, trace = period.network, period.trace
    ids = np.array([*network.ids, ""], dtype=object)  # -1 reads as ""
    table = np.array([tuple(route) for route in network.routes], dtype=np.int64).reshape(-1, 5)
    routes = table[trace[:, k.ROUTE].astype(np.int64)]
    supplier, importer, transit, first, second = routes.T
    keep = np.array([1.0 - link.loss_factor for link in network.links] or [1.0])
    names = np.array([f"{link.source}>{link.target}" for link in network.links] or [""], dtype=object)
    sent = trace[:, k.SENT]
    links = [
        f"{a}:{x!r}" if hop2 < 0 else f"{a}:{x!r}|{b}:{y!r}"
        for a, b, x, y, hop2 in zip(
            names[first], names[second], sent.tolist(), (sent * keep[first]).tolist(), second.tolist(), strict=True
        )
    ]
    result = pd.DataFrame(
        {
            "date": iso_dates(period)[trace[:, k.DAY].astype(np.int64)],
            "phase": trace[:, k.PHASE].astype(np.int64),
            "supplier": ids[supplier],
            "importer": ids[importer],
            "hops": np.where(second < 0, 1, 2),
            "transit_zone": ids[transit],
            "sent_mwh": sent,
            "delivered_mwh": trace[:, k.DELIVERED],
            "links": np.array(links, dtype=object),
        }
    )
    if with_source:
        result["source"] = np.where(trace[:, k.SOURCE] > 0, "wind", "hydro")
    return result


def bounds(period: Period) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    """(N,) what kept each transfer from being larger, as `kernel.BOUNDS` names it."""
    names = np.array(k.BOUNDS, dtype=object)
    return np.asarray(names[period.trace[:, k.BOUND].astype(np.int64)])


def iso_dates(period: Period) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    """(T,) the days as ISO text."""
    return np.datetime_as_string(period.dates.astype("datetime64[D]")).astype(object)
