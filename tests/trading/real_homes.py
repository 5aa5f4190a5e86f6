"""Measured homes in the format of the trading room: what tests with real data read."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

SOURCE = Path("forecast") / "homes_citylearn2022_17_load_pv.parquet"
HOMES, HOURS = 17, 8760


def write_real_homes(real_data: Path, path: Path, kwp: float = 5.0) -> Path:
    """Write the 17 homes of the CityLearn challenge 2022 as `id, timestamp, consumption, production`, hourly.

    The file holds one year, 2016-08-01 to 2017-07-31, 8760 rows a home, every hour once: local standard time without
    a change of clocks. Negative readings (there are none today) would be refused by the reader, so nothing is changed.

    Args:
        real_data: the folder of real data.
        path: where it goes; the suffix .csv or .parquet decides the format.
        kwp: size of every home's PV; the source gives W per kWp.

    Returns:
        The path.
    """
    table = pa_parquet.read_table(real_data / SOURCE).sort_by([("building", "ascending"), ("time_local", "ascending")])
    building = table["building"].to_numpy()
    hours = table["time_local"].to_numpy().astype("datetime64[s]").reshape(HOMES, HOURS)
    assert (np.diff(hours, axis=1) == np.timedelta64(1, "h")).all(), f"{SOURCE}: an hour is missing or given twice"
    homes = pa.table(
        {
            "id": [f"home_{number}" for number in building],
            "timestamp": hours.ravel(),
            "consumption": table["load_kwh"].to_numpy().astype(np.float64),
            "production": table["pv_w_per_kwp"].to_numpy().astype(np.float64) / 1000 * kwp,
        }
    )
    if path.suffix.lower() == ".csv":
        pa_csv.write_csv(homes, path)
    else:
        pa_parquet.write_table(homes, path, compression="zstd")
    return path
