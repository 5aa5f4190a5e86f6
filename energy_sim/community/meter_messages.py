"""What the smart meter of a house tells: power, currents and energy registers as one JSON text under one topic.

The fields are those that readers at the customer interface of a meter, such as gPlug, publish over MQTT. By OBIS code:

    Pi, Po       1.7.0, 2.7.0            active power imported, exported, kW: one of them is 0
    I1, I2, I3   31.7.0, 51.7.0, 71.7.0  current of each phase, A, without direction
    Ei, Eo       1.8.0, 2.8.0            active energy imported, exported, kWh since the session's start
    Q5 ... Q8    5.8.0 ... 8.8.0         reactive energy of quadrants I to IV, kvarh since the session's start
    SMid, ts     0.0.0, 1.0.0            the house, and the simulated moment in whole seconds UTC since 1970

The model knows active power only, so the rest follows from three assumptions: the three phases are balanced at 230 V;
a house imports at cos phi 0.95 inductive, which is quadrant I, so Q5 = Ei * tan(phi); a house exports at cos phi 1, as
PV inverters do unless their grid operator asks for more, so Q6, Q7 and Q8 stay 0.

Source: OBIS codes after IEC 62056-6-1; quadrants after IEC 62053-23 annex C; the currents are registers of the
customer interface in DSMR 5.0.2 P1, section 6.12; 230 V is the nominal voltage of IEC 60038.
"""

import json
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from energy_sim.errors import DataError

PHASE_V = 230.0
IMPORT_COS_PHI = 0.95
IMPORT_TAN_PHI = math.tan(math.acos(IMPORT_COS_PHI))

Message = tuple[str, bytes]


def readings(
    ids: Sequence[str],
    session_id: str,
    time_s: float,
    net_w: NDArray[np.float64],
    import_kwh: NDArray[np.float64],
    export_kwh: NDArray[np.float64],
) -> Iterator[Message]:
    """The message of every house's meter.

    Args:
        ids: of the houses, H of them.
        session_id: whose street it is; it does not show in the messages.
        time_s: simulated moment, POSIX seconds: the opening of the tick whose mean powers these are.
        net_w: (H,) production minus consumption, W, positive exports.
        import_kwh: (H,) imported from the session's start to the end of the tick.
        export_kwh: (H,) exported, likewise.

    Returns:
        (topic, payload) per house: ``{MAC}/SENSOR`` and JSON; kW, kWh and kvarh to 3 decimals, A to 2.

    Raises:
        DataError: there are not as many numbers as houses.
    """
    if not len(ids) == len(net_w) == len(import_kwh) == len(export_kwh):
        raise DataError(f"meters: {len(ids)} houses but {len(net_w)} powers; take both from one tick")
    columns = (
        mac_addresses(session_id, tuple(ids)),
        ids,
        _rounded(np.maximum(-net_w, 0.0) / 1000, 3),
        _rounded(np.maximum(net_w, 0.0) / 1000, 3),
        _rounded(phase_current_a(net_w), 2),
        _rounded(import_kwh, 3),
        _rounded(export_kwh, 3),
        _rounded(import_kwh * IMPORT_TAN_PHI, 3),
    )
    moment = math.floor(time_s)
    for mac, house, p_in, p_out, amps, e_in, e_out, q5 in zip(*columns, strict=True):
        content = {"SMid": house, "Pi": p_in, "Po": p_out, "I1": amps, "I2": amps, "I3": amps, "Ei": e_in, "Eo": e_out}
        content |= {"Q5": q5, "Q6": 0.0, "Q7": 0.0, "Q8": 0.0, "ts": moment}
        yield f"{mac}/SENSOR", json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


def phase_current_a(net_w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Current of each of three balanced phases, A: |P| = 3 * 230 V * I * cos phi.

    >>> phase_current_a(np.array([-6900.0, 0.0, 6900.0])).round(3).tolist()
    [10.526, 0.0, 10.0]
    """
    return np.abs(net_w) / (3 * PHASE_V * np.where(net_w < 0, IMPORT_COS_PHI, 1.0))


@lru_cache(maxsize=16)
def mac_addresses(session_id: str, ids: tuple[str, ...]) -> tuple[str, ...]:
    """Made-up MAC addresses, 12 upper hex digits, all different; the same for the same session and house.

    They are unicast and locally administered (lowest bits of the first octet 0 and 1), so no maker's device has one.
    An address that an earlier house of the street has is drawn again; more houses after it change none.

    Source: IEEE 802-2014, clause 8.
    """
    taken: dict[str, None] = {}
    for house in ids:
        turn = 0
        while (mac := _mac(f"{session_id}/{house}/{turn}")) in taken:
            turn += 1
        taken[mac] = None
    return tuple(taken)


def _mac(text: str) -> str:
    octets = bytearray(blake2b(text.encode(), digest_size=6).digest())
    octets[0] = octets[0] & 0b1111_1100 | 0b0000_0010
    return octets.hex().upper()


def _rounded(values: NDArray[np.float64], decimals: int) -> list[float]:
    rounded: list[float] = (np.round(values, decimals) + 0.0).tolist()  # + 0.0: no negative zero
    return rounded
