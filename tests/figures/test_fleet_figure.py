"""Where a fleet's parts stand, which way its arrows point, and what the exported picture and chart say."""

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest

from energy_sim.figures.fleet import (
    arrow_width,
    flow_arrow,
    plot_fleet,
    plot_loads,
    read_scene,
    transformer_notes,
    transformer_text,
)
from energy_sim.figures.fleet_places import fleet_places, places_key
from energy_sim.figures.theme import THEMES

AB = ("transformer_A", "transformer_B")
TIES = (AB,)
FIVE = [("home_1", AB[0]), ("home_2", AB[0]), ("home_3", AB[1]), ("battery_1", AB[0]), ("battery_2", AB[1])]
SIZES = (FIVE, [(f"home_{i}", AB[i % 2]) for i in range(64)], [("alone", AB[1])], [])


def agent(name, transformer, net_kw, **more):
    values = {"role": "home", "state": "online", "age_s": 0.4, "mode": "unlimited", "limit_kw": None, "soc": 0.5}
    return {"id": name, "transformer": transformer, "net_kw": net_kw, **values, **more}


def transformer(name, load_kw, before_kw, after_kw, **more):
    values = {"limit_kw": 12.0, "export_limit_kw": 20.0, "shortfall_kw": 0.0, "uncertainty_kw": 0.0, "help_kw": 0.0}
    return {"id": name, "load_kw": load_kw, "before_kw": before_kw, "after_kw": after_kw, **values, **more}


GRID = {
    "transformers": [
        transformer(AB[0], 13.0, 21.4, 12.0, help_kw=4.6, expected_kw=3.0, uncertainty_kw=1.5),
        transformer(AB[1], -4.6, -4.6, 0.0, help_kw=-4.6),
    ],
    "ties": [{"a": AB[0], "b": AB[1], "limit_kw": 5.0, "flow_kw": -4.6}],
    "agents": [
        agent("home_1", AB[0], 3.0, state="lost", age_s=23.0, mode="failsafe", limit_kw=4.2),
        agent("home_2", AB[0], 10.0),
        agent("home_3", AB[1], -4.6),
        agent("battery_1", AB[0], 0.0, role="battery"),
    ],
}


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("agents", SIZES, ids=len)
def test_nothing_overlaps_and_all_stand_on_the_canvas_in_fleets_of_any_size(agents, compact):
    places = fleet_places(AB, TIES, agents, compact=compact)
    discs = [(a.x, a.y, places.r) for a in places.agents]
    assert len(discs) == len(agents)
    for x, y, r in [*discs, places.hub]:
        assert r <= x <= places.width - r
        assert r <= y <= places.height - r
    for (x, y, r), (u, v, s) in combinations([*discs, places.hub], 2):
        assert (x - u) ** 2 + (y - v) ** 2 > (r + s) ** 2
    for x, y, w, h in places.boxes:
        assert w / 2 <= x <= places.width - w / 2
        for u, v, r in [*discs, places.hub]:
            assert abs(u - x) >= w / 2 + r or abs(v - y) >= h / 2 + r


def test_places_depend_on_who_is_there_and_on_nothing_else():
    assert places_key(AB, TIES, FIVE) == places_key(list(AB), [list(AB)], FIVE)
    assert places_key(AB, TIES, FIVE) != places_key(AB, TIES, FIVE[:4])
    assert fleet_places(AB, TIES, FIVE) == fleet_places(AB, TIES, FIVE)


def test_an_arrow_points_to_who_draws_and_back_when_it_feeds_in_and_is_a_line_when_idle():
    line = ((0.0, 0.0), (0.0, 60.0))
    draws, feeds = flow_arrow(line, 12.0), flow_arrow(line, -3.0)
    assert (0.0, 60.0) in draws
    assert (0.0, 0.0) in feeds
    assert flow_arrow(line, 0.04) == line
    assert arrow_width(12.0) == 13.0
    assert arrow_width(-3.0) == pytest.approx(2 + 11 / 2)  # a quarter of the power: half of the way
    assert max(x for x, _ in draws) == pytest.approx(2 + 0.8 * 13)


def test_a_transformer_carries_what_its_agents_draw_and_silent_ones_are_expected_to_less_the_help():
    a, b = read_scene(GRID, {}).transformers
    assert (a.carried_kw, b.carried_kw) == (pytest.approx(13.0 + 3.0 - 4.6), 0.0)
    assert a.over_kw == pytest.approx(11.4 + 1.5 - 12.0)
    assert a.curtailed_kw == pytest.approx(21.4 - 12.0 - 4.6)
    assert b.curtailed_kw == 0
    assert transformer_text(a) == "▼ draws 11.4 of 12.0\u00a0kW"
    said = ["is helped by 4.6\u00a0kW", "curtailed 4.8\u00a0kW", "▲ over by 0.9\u00a0kW"]
    assert transformer_notes(a) == said
    assert transformer_notes(b) == ["helps with 4.6\u00a0kW"]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_picture_has_an_arrow_for_every_flow_and_says_state_mode_and_fault_in_words(theme):
    scene = read_scene(GRID, {"grid": "killed", "home_1": "cut"})
    figure = plot_fleet(scene, fleet_places(AB, TIES, FIVE), theme)
    traces = {trace.name or trace.uid: trace for trace in figure.data}
    counts = {name: list(traces[name].x).count(None) for name in ("Draws ▼", "Feeds in ▲", "Neighbours help", "Idle ●")}
    assert counts == {"Draws ▼": 3, "Feeds in ▲": 1, "Neighbours help": 1, "Idle ●": 2}
    assert traces["Draws ▼"].fillcolor == THEMES[theme].import_
    (home, *_), words = traces["agents"].hovertext, " ".join(a.text for a in figure.layout.annotations)
    assert home == "Home 1<br>✕ lost · 23\u00a0s<br>failsafe ≤\u00a04.2\u00a0kW<br>cut off"
    assert "Grid<br>agent</b><br>killed" in words
    assert "▲ over by 0.9\u00a0kW" in words


def test_the_chart_has_a_load_and_a_dashed_limit_for_each_transformer():
    moments = [datetime(2026, 7, 8, 12, 0, tzinfo=UTC) + timedelta(minutes=k) for k in range(3)]
    loads = {AB[0]: [1.0, 14.0, 12.0], AB[1]: [-2.0, -2.0, 0.0]}
    figure = plot_loads(moments, loads, {name: [12.0] * 3 for name in AB})
    assert [t.name for t in figure.data] == [
        *("Transformer A", "Transformer A: limit", "Transformer B", "Transformer B: limit")
    ]
    assert list(figure.data[0].y) == loads[AB[0]]
    assert list(figure.data[3].y) == [12.0] * 3
    assert [t.line.dash for t in figure.data] == ["solid", "dash", "solid", "dash"]
    assert figure.data[0].line.color == figure.data[1].line.color != figure.data[2].line.color
