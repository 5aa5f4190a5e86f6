"""A fleet of agents as a plotly figure, for exports: the same places and arrows as `assets/fleet.js`; loads over time.

Powers in kW, consumption positive: a positive load flows from the grid into a transformer, a positive net power from
the transformer to the agent.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import plotly.graph_objects as go

from energy_sim.figures.fleet_places import FleetPlaces, Path, Point
from energy_sim.figures.network import ribbon
from energy_sim.figures.theme import NO_BREAK_SPACE, THEMES, Theme, ThemeName, base_layout, format_number, tint

IDLE_KW: Final = 0.05
OVER_KW: Final = 0.2  # beyond a limit that is worth a word: loads move a little between two cycles
FULL_KW: Final = 12.0
WIDTHS_PX: Final = (2.0, 13.0)
STATES: Final = {"online": "●", "late": "◐", "lost": "✕", "gone": "○"}
MODES: Final = {"init": "waits for a limit", "unlimited": "no limit", "limited": "limited", "failsafe": "failsafe"}
PROCESSES: Final = {
    "running": "",
    "hung": "hangs",
    "killed": "killed",
    "slow": "slow",
    "cut": "cut off",
    "error": "answers 500",
    "malformed": "malformed",
    "ended": "ended",
}
_STEP_PX = 6.0  # between two points of a line that is made a ribbon


@dataclass(frozen=True, slots=True)
class TransformerView:
    """A transformer at a moment.

    ``load_kw`` is what its agents draw, those that are silent as expected; ``help_kw`` is what neighbours give it,
    negative what it gives.
    """

    id: str
    load_kw: float
    uncertainty_kw: float
    limit_kw: float
    export_limit_kw: float
    before_kw: float
    after_kw: float
    shortfall_kw: float
    help_kw: float

    @property
    def curtailed_kw(self) -> float:
        """What orders took from its agents, either way."""
        return abs(self.before_kw - self.after_kw - self.help_kw)

    @property
    def carried_kw(self) -> float:
        """What flows through it: the load less the help."""
        return self.load_kw - self.help_kw

    @property
    def over_kw(self) -> float:
        """How far that, uncertainty included, is outside its limits."""
        spare = min(self.limit_kw - self.carried_kw, self.export_limit_kw + self.carried_kw)
        return max(self.uncertainty_kw - spare, 0.0)


@dataclass(frozen=True, slots=True)
class TieView:
    """A tie; ``flow_kw`` from a to b positive."""

    a: str
    b: str
    flow_kw: float


@dataclass(frozen=True, slots=True)
class AgentView:
    """An agent at a moment; ``soc`` is a share, ``limit_kw`` None without a limit, ``process`` "" when unknown."""

    id: str
    role: str
    transformer: str
    state: str
    age_s: float
    mode: str
    limit_kw: float | None
    net_kw: float
    soc: float | None
    process: str


@dataclass(frozen=True, slots=True)
class FleetScene:
    """What a picture of a fleet shows; ``hub`` is the process state of the grid agent."""

    transformers: tuple[TransformerView, ...]
    ties: tuple[TieView, ...]
    agents: tuple[AgentView, ...]
    hub: str = "running"


def read_scene(grid: Mapping[str, Any], processes: Mapping[str, str]) -> FleetScene:
    """A scene from the grid agent's view and the supervisor's states of the processes; what is missing counts as 0."""

    def number(row: Mapping[str, Any], key: str) -> float:
        return float(row.get(key) or 0.0)

    transformers = tuple(
        TransformerView(
            str(t["id"]),
            number(t, "load_kw") + number(t, "expected_kw"),
            *(number(t, f"{name}_kw") for name in ("uncertainty", "limit", "export_limit")),
            *(number(t, f"{name}_kw") for name in ("before", "after", "shortfall", "help")),
        )
        for t in grid.get("transformers", ())
    )
    ties = tuple(TieView(str(t["a"]), str(t["b"]), number(t, "flow_kw")) for t in grid.get("ties", ()))
    agents = tuple(
        AgentView(
            str(a["id"]),
            str(a.get("role", "home")),
            str(a.get("transformer", "")),
            str(a.get("state", "lost")),
            number(a, "age_s"),
            str(a.get("mode") or "init"),
            a.get("limit_kw"),
            number(a, "net_kw"),
            a.get("soc"),
            processes.get(str(a["id"]), ""),
        )
        for a in grid.get("agents", ())
    )
    return FleetScene(transformers, ties, agents, processes.get("grid", ""))


def format_kw(kw: float) -> str:
    """Power without sign, one decimal.

    >>> format_kw(-2.04) == "2.0\u00a0kW"
    True
    """
    return f"{format_number(abs(kw), 1)}{NO_BREAK_SPACE}kW"


def name_of(identifier: str) -> str:
    """An id as people read it.

    >>> name_of("transformer_A")
    'Transformer A'
    """
    words = identifier.replace("_", " ").replace("agent ", "")
    return words[:1].upper() + words[1:]


def arrow_width(kw: float) -> float:
    """Pixels of an arrow; its area grows with the power."""
    least, most = WIDTHS_PX
    return least + (most - least) * math.sqrt(min(abs(kw) / FULL_KW, 1.0))


def flow_arrow(line: Path, kw: float) -> Path:
    """The arrow of a power along a line, against it when negative; only a thin line below IDLE_KW."""
    if abs(kw) < IDLE_KW:
        return line
    return ribbon(_fine(line if kw > 0 else line[::-1]), arrow_width(kw))


def _fine(line: Path) -> Path:
    """The same line in short steps, so that ribbons keep its corners."""
    points: list[Point] = [line[0]]
    for (x0, y0), (x1, y1) in pairwise(line):
        n = max(1, round(max(abs(x1 - x0), abs(y1 - y0)) / _STEP_PX))
        points += [(x0 + (x1 - x0) * k / n, y0 + (y1 - y0) * k / n) for k in range(1, n + 1)]
    return tuple(points)


def plot_fleet(scene: FleetScene, places: FleetPlaces, theme: ThemeName = "dark", title: str = "") -> go.Figure:
    """The fleet with its flows, one arrow each; text says what colour and glyph do."""
    colors = THEMES[theme]
    figure = go.Figure(layout=_layout(places, scene, colors, title or "The fleet: flows in kW"))
    by_id = {agent.id: agent for agent in scene.agents}
    flows = [(line, t.carried_kw) for line, t in zip(places.supply, scene.transformers, strict=False)]
    flows += [(place.line, by_id[place.id].net_kw) for place in places.agents if place.id in by_id]
    ties = [(place.line, tie.flow_kw) for place, tie in zip(places.ties, scene.ties, strict=False)]
    for name, tone, some in (
        ("Draws ▼", colors.import_, [f for f in flows if f[1] >= IDLE_KW]),
        ("Feeds in ▲", colors.export, [f for f in flows if f[1] <= -IDLE_KW]),
        ("Neighbours help", colors.two_hop, [f for f in ties if abs(f[1]) >= IDLE_KW]),
        ("Idle ●", colors.idle, [f for f in (*flows, *ties) if abs(f[1]) < IDLE_KW]),
    ):
        _add_arrows(figure, name, tone, some)
    _add_agents(figure, scene, places, colors)
    _add_transformers(figure, scene, places, colors)
    _add_ties(figure, scene, places, colors)
    return figure


def _add_arrows(figure: go.Figure, name: str, tone: str, flows: Sequence[tuple[Path, float]]) -> None:
    x: list[float | None] = []
    y: list[float | None] = []
    for line, kw in flows:
        shape = flow_arrow(line, kw)
        closed = (*shape, shape[0]) if abs(kw) >= IDLE_KW else shape
        x += [*(round(px, 2) for px, _ in closed), None]
        y += [*(round(py, 2) for _, py in closed), None]
    idle = all(abs(kw) < IDLE_KW for _, kw in flows)
    look = {"line": {"width": 1.5, "color": tone, "dash": "dot" if idle else "solid"}}
    fill = {} if idle else {"fill": "toself", "fillcolor": tone}
    figure.add_scatter(x=x or [None], y=y or [None], name=name, mode="lines", hoverinfo="skip", **look, **fill)


def state_color(agent: AgentView, colors: Theme) -> str:
    """The colour of an agent's state; its glyph and word say the same."""
    return {"online": colors.export, "late": colors.import_, "lost": colors.unmet}.get(agent.state, colors.idle)


def agent_lines(agent: AgentView) -> list[str]:
    """What stands below an agent: name, state, mode with limit, what is wrong with its process."""
    limit = "" if agent.limit_kw is None else f" ≤{NO_BREAK_SPACE}{format_kw(agent.limit_kw)}"
    mode = MODES.get(agent.mode, agent.mode)
    state = f"{STATES.get(agent.state, '○')} {agent.state} · {format_number(agent.age_s)}{NO_BREAK_SPACE}s"
    return [line for line in (name_of(agent.id), state, mode + limit, PROCESSES.get(agent.process, "")) if line]


def _add_agents(figure: go.Figure, scene: FleetScene, places: FleetPlaces, colors: Theme) -> None:
    by_id = {agent.id: agent for agent in scene.agents}
    shown = [(place, by_id[place.id]) for place in places.agents if place.id in by_id]
    inside = []
    for _, agent in shown:
        glyph = "●" if abs(agent.net_kw) < IDLE_KW else "▼" if agent.net_kw > 0 else "▲"
        soc = "" if agent.soc is None else f"<br>{format_number(100 * agent.soc)}{NO_BREAK_SPACE}%"
        inside.append(f"{glyph} <b>{format_number(abs(agent.net_kw), 1)}</b>{soc}")
    figure.add_scatter(
        x=[place.x for place, _ in shown],
        y=[place.y for place, _ in shown],
        mode="markers+text",
        marker={
            "size": 2 * places.r,
            "color": colors.node,
            "opacity": 1,
            "symbol": ["square" if agent.role == "battery" else "circle" for _, agent in shown],
            "line": {"width": 3, "color": [state_color(agent, colors) for _, agent in shown]},
        },
        text=inside,
        textfont={"size": 13 if places.labels else 9, "color": colors.ink},
        hovertext=["<br>".join(agent_lines(agent)) for _, agent in shown],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
        uid="agents",
    )
    if not places.labels:
        return
    for place, agent in shown:
        name, *rest = agent_lines(agent)
        text = "<br>".join([f"<b>{name}</b>", *rest])
        at = {"x": place.x, "y": place.y + places.r + 6, "yanchor": "top", "showarrow": False}
        figure.add_annotation(text=text, font={"size": 11.5, "color": colors.ink}, **at)


def _add_transformers(figure: go.Figure, scene: FleetScene, places: FleetPlaces, colors: Theme) -> None:
    for (x, y, _, h), t in zip(places.boxes, scene.transformers, strict=False):
        text = f"<b>{name_of(t.id)}</b><br>{transformer_text(t)}"
        figure.add_annotation(x=x, y=y - h / 2 + 6, yanchor="top", text=text, showarrow=False, font={"size": 12.5})
        note = " · ".join(transformer_notes(t))
        figure.add_annotation(
            x=x, y=y + h / 2 - 6, yanchor="bottom", text=note, showarrow=False, font={"size": 11, "color": colors.muted}
        )


def transformer_text(t: TransformerView) -> str:
    """Load against the limit that matters now."""
    if t.carried_kw < 0:
        return f"▲ feeds in {format_number(-t.carried_kw, 1)} of {format_kw(t.export_limit_kw)}"
    return f"▼ draws {format_number(t.carried_kw, 1)} of {format_kw(t.limit_kw)}"


def transformer_notes(t: TransformerView) -> list[str]:
    """Help, curtailment and what is still missing, where there is any; else that all is well."""
    notes = []
    if abs(t.help_kw) >= IDLE_KW:
        notes.append(f"{'is helped by' if t.help_kw > 0 else 'helps with'} {format_kw(t.help_kw)}")
    if t.curtailed_kw >= IDLE_KW:
        notes.append(f"curtailed {format_kw(t.curtailed_kw)}")
    if t.shortfall_kw >= IDLE_KW:
        notes.append(f"short {format_kw(t.shortfall_kw)}")
    if t.over_kw >= OVER_KW:
        notes.append(f"▲ over by {format_kw(t.over_kw)}")
    return notes or ["within its limit"]


def _add_ties(figure: go.Figure, scene: FleetScene, places: FleetPlaces, colors: Theme) -> None:
    for place, tie in zip(places.ties, scene.ties, strict=False):
        if abs(tie.flow_kw) >= IDLE_KW:
            x, y = place.text
            text = f"<b>{format_kw(tie.flow_kw)}</b>"
            figure.add_annotation(x=x, y=y - 18, text=text, showarrow=False, font={"size": 12, "color": colors.two_hop})


def _layout(places: FleetPlaces, scene: FleetScene, colors: Theme, title: str) -> dict[str, Any]:
    axis = {"visible": False, "constrain": "range"}
    x, y, r = places.hub
    rim = {"color": colors.unmet if scene.hub in {"hung", "killed", "ended"} else colors.node_line, "width": 2}
    shapes = [
        {"type": "circle", "x0": x - r, "x1": x + r, "y0": y - r, "y1": y + r, "fillcolor": colors.node, "line": rim},
        *(shape for box, t in zip(places.boxes, scene.transformers, strict=False) for shape in _bar(box, t, colors)),
    ]
    state = PROCESSES.get(scene.hub, "")
    label = f"<b>Grid<br>agent</b>{f'<br>{state}' if state else ''}"
    return base_layout(colors, title) | {
        "width": places.width,
        "height": places.height + 100,
        "margin": {"l": 0, "r": 0, "t": 52, "b": 48},
        "xaxis": {**axis, "range": [0, places.width]},
        "yaxis": {**axis, "range": [places.height, 0], "scaleanchor": "x"},
        "legend": {"orientation": "h", "x": 0.01, "y": 0, "yanchor": "top", "font": {"size": 11}},
        "hovermode": "closest",
        "shapes": shapes,
        "annotations": [{"x": x, "y": y, "text": label, "showarrow": False, "font": {"size": 12}}],
    }


def _bar(box: tuple[float, float, float, float], t: TransformerView, colors: Theme) -> list[dict[str, Any]]:
    """The box of a transformer, its load as a bar, the uncertainty after it, its limit as a stroke."""
    x, y, w, h = box
    rim = {"color": colors.unmet if t.over_kw >= OVER_KW else colors.node_line, "width": 2}
    left, wide, limit = x - w / 2 + 14, w - 28, t.limit_kw if t.carried_kw >= 0 else t.export_limit_kw
    scale = wide / max(1.25 * limit, abs(t.carried_kw) + t.uncertainty_kw, 1e-9)
    load, mark = abs(t.carried_kw) * scale, limit * scale
    tone = colors.import_ if t.carried_kw >= 0 else colors.export
    clear = {"width": 0}

    def bar(x0: float, x1: float, fill: str) -> dict[str, Any]:
        return {"type": "rect", "x0": x0, "x1": x1, "y0": y - 8, "y1": y + 8, "fillcolor": fill, "line": clear}

    return [
        {"type": "rect", "x0": x - w / 2, "x1": x + w / 2, "y0": y - h / 2, "y1": y + h / 2, "fillcolor": colors.node}
        | {"line": rim},
        bar(left, left + wide, colors.grid),
        bar(left, left + load, tone),
        bar(left + load, left + load + t.uncertainty_kw * scale, tint(tone, 0.4)),
        {"type": "line", "x0": left + mark, "x1": left + mark, "y0": y - 12, "y1": y + 12}
        | {"line": {"color": colors.ink, "width": 2}},
    ]


def plot_loads(
    moments: Sequence[datetime],
    loads_kw: Mapping[str, Sequence[float | None]],
    limits_kw: Mapping[str, Sequence[float | None]],
    theme: ThemeName = "dark",
) -> go.Figure:
    """Loads of transformers against their limits, kW: two traces each, the load and, dashed, the limit.

    Args:
        moments: n of the simulated clock; none where the page is to append them.
        loads_kw: n of each transformer.
        limits_kw: n of each transformer.
        theme: dark or light.
    """
    colors = THEMES[theme]
    tones = (colors.hydro, colors.two_hop, colors.wind, colors.export, colors.import_, colors.idle)
    layout = base_layout(colors, "Load of each transformer against its limit, kW")
    axes = {"gridcolor": colors.grid, "zerolinecolor": colors.muted}
    figure = go.Figure(layout=layout)
    for k, name in enumerate(loads_kw):
        look = {"x": list(moments), "mode": "lines"}
        own = {"color": tones[k % len(tones)], "dash": ("solid", "dot", "dashdot")[k // len(tones) % 3], "width": 2}
        limit = {"color": own["color"], "dash": "dash", "shape": "hv", "width": 1.5}
        hover = f"{name_of(name)} %{{y:.1f}} kW<extra></extra>"
        figure.add_scatter(y=list(loads_kw[name]), name=name_of(name), line=own, hovertemplate=hover, **look)
        figure.add_scatter(
            y=list(limits_kw[name]), name=f"{name_of(name)}: limit", line=limit, hoverinfo="skip", **look
        )
    return figure.update_layout(
        margin={"l": 48, "r": 16, "t": 56, "b": 40},
        xaxis={**axes, "type": "date", "hoverformat": "%H:%M:%S"},
        yaxis={**axes, "rangemode": "tozero"},
        legend={"orientation": "h", "x": 0, "y": -0.14, "yanchor": "top", "font": {"size": 11}},
        hovermode="x unified",
    )
