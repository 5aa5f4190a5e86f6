"""A grid agent on a clock that tests move, and agents that report what tests say."""

import json
from dataclasses import dataclass, field

from energy_sim.agents.audit.log import AuditLog
from energy_sim.agents.grid.agent import GridAgent
from energy_sim.agents.messages import Nameplate, Registration
from energy_sim.config import load_config
from energy_sim.database import open_database

SECRET = b"s" * 64
NOON = 1_783_503_000.0  # wall time at the start, seconds since the epoch


@dataclass
class Clock:
    now: float = 0.0

    def mono(self) -> float:
        return 100.0 + self.now

    def wall(self) -> float:
        return NOON + self.now


@dataclass
class World:
    """Restart it by making another one in the same folder with the same clock."""

    folder: object
    clock: Clock = field(default_factory=Clock)
    kind: str = "real"
    changes: dict = field(default_factory=dict)

    def __post_init__(self):
        self.config = load_config().agents.model_copy(update=self.changes)
        self.engine = open_database(f"sqlite:///{self.folder / 'agents.db'}")
        self.grid = GridAgent(
            self.config,
            self.engine,
            AuditLog(self.folder / "audit.jsonl", self.clock.wall),
            SECRET,
            clock_kind=self.kind,
            clock=self.clock.mono,
            wall=self.clock.wall,
        )

    def join(self, name, transformer="transformer_A", url="", **plates):
        """Register; plates are kind=(min_kw, max_kw)."""
        nameplates = tuple(
            Nameplate(id=f"{name}/{kind}", kind=kind, min_kw=low, max_kw=high) for kind, (low, high) in plates.items()
        )
        role = "battery" if set(plates) == {"battery"} else "home"
        asked = Registration(id=name, role=role, transformer_id=transformer, url=url, nameplates=nameplates)
        told = self.grid.register(asked)
        self.grid.store([name])
        return told

    def report(self, name, sequence, transformer="transformer_A", **resources):
        """Send a report; resources are kind=(power, wanted, min, max)."""
        self.grid.take(name, report_json(name, sequence, transformer, self.clock.wall(), **resources))

    def answer(self, name):
        """What the grid agent would answer now."""
        return json.loads(self.grid.seats.answer(self.grid.seats.seat(name), self.grid.cycle))


def report_json(name, sequence, transformer, sent_at, forecast=(), anomalies=(), **resources) -> bytes:
    states = [
        {"id": f"{name}/{kind}", "kind": kind, "power_kw": p, "wanted_kw": w, "min_kw": low, "max_kw": high}
        for kind, (p, w, low, high) in resources.items()
    ]
    return json.dumps(
        {
            "agent_id": name,
            "role": "battery" if set(resources) == {"battery"} else "home",
            "transformer_id": transformer,
            "cycle": 0,
            "sequence": sequence,
            "sent_at": sent_at,
            "time_s": NOON,
            "mode": "unlimited",
            "limit_kw": None,
            "voltage_pu": 1.0,
            "resources": states,
            "anomaly": bool(anomalies),
            "anomalies": list(anomalies),
            "forecast_kw": list(forecast),
        }
    ).encode()
