"""The daily step in plain Python, written from the text of the design: the yardstick of the kernel."""

from dataclasses import dataclass, field

from energy_sim.zones.model import Factors, Network, Switches

EPS = 1e-6


@dataclass
class Day:
    """One day's results: by zone id (dicts) and the transfers in order."""

    wind_used: dict[str, float] = field(default_factory=dict)
    surplus: dict[str, float] = field(default_factory=dict)
    shared: dict[str, float] = field(default_factory=dict)
    local: dict[str, float] = field(default_factory=dict)
    exported: dict[str, float] = field(default_factory=dict)
    imported: dict[tuple[str, int, int], float] = field(default_factory=dict)  # (zone, phase, hops)
    unmet: dict[str, float] = field(default_factory=dict)
    water: dict[str, float] = field(default_factory=dict)
    spill: dict[str, float] = field(default_factory=dict)
    short: dict[str, float] = field(default_factory=dict)
    level: dict[str, float] = field(default_factory=dict)
    transfers: list[tuple] = field(default_factory=list)


def routes_to(network: Network, importer: str) -> list[tuple[int, ...]]:
    """Routes as tuples of link indices: direct in link order, then two-hop by the second link, then the first."""
    into = [i for i, link in enumerate(network.links) if link.target == importer]
    found = [(i,) for i in into]
    for second in into:
        transit = network.links[second].source
        for first, link in enumerate(network.links):
            if link.target == transit and link.source not in {transit, importer}:
                found.append((first, second))
    return found


def reference_day(network: Network, level, wind, demand, inflow, switches: Switches, factors: Factors) -> Day:
    """One day from opening levels; all inputs are dicts by zone id."""
    day = Day()
    zones = {z.id: z for z in network.zones}
    capacity = [link.capacity_mwh_per_day for link in network.links]
    need, head, rel = {}, {}, {}
    for name, z in zones.items():
        w, d = wind[name] * factors.wind, demand[name] * factors.consumption
        day.wind_used[name] = min(w, d) if switches.wind else 0.0
        day.surplus[name] = w - day.wind_used[name] if switches.wind else 0.0
        day.shared[name] = day.local[name] = day.exported[name] = 0.0
        for phase in (2, 4):
            for hops in (1, 2):
                day.imported[name, phase, hops] = 0.0
        need[name] = d - day.wind_used[name]
        water_share = z.hydro_efficiency * max(0.0, level[name] - z.hydro_min_mwh)
        head[name] = min(z.hydro_max_daily_production_mwh, water_share)
        rel[name] = (level[name] - z.hydro_min_mwh) / (z.hydro_max_mwh - z.hydro_min_mwh)

    def serve(phase, offer, may_supply, take):
        for z in zones:
            while need[z] > EPS:
                candidates = []
                for position, route in enumerate(routes_to(network, z)):
                    first = network.links[route[0]]
                    s = first.source
                    if len(route) == 2 and not switches.two_hop:
                        continue
                    if not may_supply(s, z) or offer(s) <= EPS:
                        continue
                    keep = 1.0 - first.loss_factor
                    send = min(offer(s), capacity[route[0]])
                    if len(route) == 2:
                        send = min(send, capacity[route[1]] / keep)
                        keep *= 1.0 - network.links[route[1]].loss_factor
                    send = min(send, need[z] / keep)
                    if send > EPS:
                        candidates.append((-rel[s], position, s, route, send, keep))
                if not candidates:
                    break
                _, _, s, route, send, keep = min(candidates, key=lambda c: c[:2])
                capacity[route[0]] -= send
                if len(route) == 2:
                    capacity[route[1]] -= send * (1.0 - network.links[route[0]].loss_factor)
                take(s, send)
                need[z] -= send * keep
                day.imported[z, phase, len(route)] += send * keep
                transit = network.links[route[0]].target if len(route) == 2 else None
                day.transfers.append((phase, s, z, transit, send, send * keep))

    def spare_hydro(s):
        return head[s] - (need[s] if switches.local_hydro else 0.0)

    def take_hydro(s, send):
        head[s] -= send
        day.exported[s] += send

    def take_wind(s, send):
        day.shared[s] += send

    def qualifies(s, z):
        forced = level[s] >= zones[s].hydro_force_export_mwh
        return forced or (switches.balance_levels and rel[s] >= rel[z] + 0.05)

    if switches.import_phase1:
        if switches.share_wind:
            serve(2, lambda s: day.surplus[s] - day.shared[s], lambda s, z: True, take_wind)
        serve(2, spare_hydro, qualifies, take_hydro)
    if switches.local_hydro:
        for z in zones:
            day.local[z] = min(need[z], head[z])
            need[z] -= day.local[z]
            head[z] -= day.local[z]
    if switches.import_phase2:
        serve(4, spare_hydro, lambda s, z: True, take_hydro)
    for name, z in zones.items():
        day.unmet[name] = max(0.0, need[name])
        day.water[name] = (day.local[name] + day.exported[name]) / z.hydro_efficiency
        y = level[name] - day.water[name] + inflow[name] * factors.inflow
        day.spill[name] = max(0.0, y - z.hydro_max_mwh)
        y -= day.spill[name]
        day.short[name] = max(0.0, -y)
        day.level[name] = y + day.short[name]
    return day
