"""What a trading run was worth, in words, figures and a table; for a run written elsewhere, what its files say."""

from typing import Any

import numpy as np
import pandas as pd
from dash import html

from energy_sim.figures.theme import ON_CARD, format_number
from energy_sim.figures.trading import plot_savings
from energy_sim.trading.playback import RecordedTrading
from layouts.trading_results import Said, long_table, summary_pane

MOST_LISTED = 200  # households in the table
MAIN = ("Total cost", "Bought from the grid", "Among neighbours")
_COLUMNS = (
    ("household_id", "Household", None),
    ("cost_baseline_eur", "Cost of the baseline, EUR", 2),
    ("cost_optimized_eur", "Cost optimised, EUR", 2),
    ("savings_eur", "Saved, EUR", 2),
    ("savings_before_transfer_eur", "Saved before transfers, EUR", 2),
    ("transfer_eur", "Transfer, EUR", 2),
    ("self_sufficiency_optimized", "Self-sufficiency, %", 1),
    ("p2p_buy_kwh", "Bought from neighbours, kWh", 1),
    ("p2p_sell_kwh", "Sold to neighbours, kWh", 1),
    ("unserved_kwh", "Unserved, kWh", 2),
)


def summary(run: RecordedTrading, theme: str) -> list[Any]:
    """The pane of a run."""
    if "total_cost_optimized" not in run.summary or run.households is None:
        return _of_files(run)
    figures = _figures(run)
    return summary_pane(
        _lead(run),
        f"Run {run.name}",
        [said for said in figures if said.name in MAIN],
        [said for said in figures if said.name not in MAIN],
        _notes(run),
        on_page(savings_chart(run, theme)),
        _households(run.households),
    )


def savings_chart(run: RecordedTrading, theme: str) -> Any:
    """Who gains what; None where the run does not say."""
    if run.households is None:
        return None
    table = run.households
    return plot_savings(
        list(table["household_id"]),
        table["savings_before_transfer_eur"].to_numpy(float),
        table["savings_eur"].to_numpy(float),
        theme=theme,
    )


def on_page(figure: Any) -> Any:
    """The savings as the page shows them: its heading stands above, and names make room for one another."""
    if figure is None:
        return None
    places = [str(place) for place in figure.data[0].x]
    names = list(figure.layout.xaxis.ticktext or places)
    figure.update_traces(x=names if len(set(names)) == len(names) else places)  # two bars of one name would be stacked
    figure.update_xaxes(type="category", tickmode="auto", tickvals=None, ticktext=None, tickangle=None)
    figure.update_layout(ON_CARD)
    return figure.update_layout(margin={"l": 56, "r": 12, "t": 26, "b": 24}, legend={"x": 1, "xanchor": "right"})


def _lead(run: RecordedTrading) -> str:
    s = run.summary
    days = s["steps"] * s["time_step_hours"] / 24
    period = f"{format_number(days, 0 if days == int(days) else 1)} days" if days >= 2 else f"{s['steps']} steps"
    better = s["improvement_pct"]
    before, after = (format_number(s[f"total_cost_{name}"], 2) for name in ("baseline", "optimized"))
    if better is None:
        return f"{period}, {s['households']} households: {after} EUR instead of {before} EUR."
    word = "cheaper" if better >= 0 else "dearer"
    if s["total_cost_baseline"] > 0 > s["total_cost_optimized"]:
        income = format_number(-s["total_cost_optimized"], 2)
        return (
            f"Planned storage and trade turn {period} of {s['households']} households from a cost of {before} EUR"
            f" into an income of {income} EUR."
        )
    return (
        f"Planned storage and trade make {period} of {s['households']} households"
        f" {format_number(abs(better), 1)} % {word}: {after} EUR instead of {before} EUR."
    )


def _figures(run: RecordedTrading) -> list[Said]:
    s = run.summary

    def both(name: str, digits: int, unit: str, factor: float = 1.0) -> tuple[str, str]:
        values = (s.get(name.format(which)) for which in ("baseline", "optimized"))
        first, second = ("–" if v is None else f"{format_number(factor * v, digits)} {unit}" for v in values)
        return first, second

    less = s.get("grid_buy_reduction_pct")
    return [
        Said("Total cost", *both("total_cost_{}", 2, "EUR"), "money, wear, unserved energy, stored energy"),
        Said("Wallets at the end", *both("wallet_{}_eur", 2, "EUR")),
        Said(
            "Bought from the grid",
            *both("grid_buy_{}_kwh", 1, "kWh"),
            "" if less is None else f"{format_number(abs(less), 1)} % {'less' if less >= 0 else 'more'}",
        ),
        Said("Sold to the grid", *both("grid_sell_{}_kwh", 1, "kWh")),
        Said(
            "Among neighbours",
            "",
            f"{format_number(s['p2p_kwh'], 1)} kWh",
            f"fees {format_number(s['fees_eur'], 2)} EUR",
        ),
        Said("Self-sufficiency", *both("self_sufficiency_{}", 1, "%", 100.0)),
        Said("Unserved", *both("unserved_{}_kwh", 2, "kWh"), "demand that the grid's limits left without energy"),
        Said(
            "Households worse off",
            "",
            f"{s['worse_off_households']} of {s['households']}",
            f"{s['worse_off_without_transfer']} without the top-up",
        ),
        Said("Equity of the savings", "", f"Gini {format_number(s['equity_gini_savings'], 2)}", "0 is equal for all"),
        Said("Gains most", "", *_who(s["best_household"])),
        Said("Gains least", "", *_who(s["worst_household"])),
        Said(
            "Planning a step",
            "",
            f"{format_number(1000 * s['seconds_per_step'], 1)} ms",
            str(s.get("engine") or "rule"),
        ),
    ]


def _who(found: Any) -> tuple[str, str]:
    return str(found["id"]), f"{format_number(found['savings_eur'], 2)} EUR"


def _notes(run: RecordedTrading) -> list[str]:
    s = run.summary
    notes = [str(note) for note in s.get("notes", ())]
    if s.get("stopped"):
        notes.insert(
            0, f"The run was stopped after {s['steps']:,} of {s['steps_asked']:,} steps; what was done is settled."
        )
    if s.get("fallback_steps"):
        notes.append(f"No plan was found in {len(s['fallback_steps'])} steps; the rule of thumb acted there.")
    if (s.get("unserved_baseline_kwh") or 0) > 0.005:
        notes.append(
            "In the baseline a limit of the grid leaves some without energy while others feed in: nobody trades there,"
            " and what is missing is priced."
        )
    if s.get("paying_more_households"):
        notes.append(f"▲ {s['paying_more_households']} households end with less money than in the baseline.")
    unserved = s.get("unserved_cost_optimized_eur") or 0.0
    if unserved > 0.005:
        notes.append(f"▲ Unserved energy is counted with {format_number(unserved, 2)} EUR; wallets do not pay it.")
    return notes


def _households(table: pd.DataFrame) -> Any:
    rows = []
    for record in table.head(MOST_LISTED).to_dict("records"):
        name, *numbers = (record[column] for column, _, _ in _COLUMNS)
        factors = (100 if column.startswith("self_") else 1 for column, _, _ in _COLUMNS[1:])
        cells = ["–" if np.isnan(v) else round(float(f * v), 4) for f, v in zip(factors, numbers, strict=True)]
        rows.append([("▼ " if record["worse_off"] else "") + str(name), *cells])
    heads = [(title, digits) for _, title, digits in _COLUMNS]
    return long_table(heads, rows, "Households: what the run cost and saved them")


def _of_files(run: RecordedTrading) -> list[Any]:
    """What the two results files of a run written elsewhere say."""
    first, second = (run.simulations[name].columns for name in ("baseline", "optimized"))
    said = [
        Said(
            title,
            f"{format_number(float(first[name].sum()), 1)} kWh",
            f"{format_number(float(second[name].sum()), 1)} kWh",
        )
        for title, name in (
            ("Bought from the grid", "grid_buy"),
            ("Sold to the grid", "grid_sell"),
            ("Among neighbours", "p2p_buy_amount"),
        )
    ]
    wallets = (format_number(float(c["wallet"][-1].sum()), 2) for c in (first, second))
    said.insert(0, Said("Wallets at the end", *(f"$ {text}" for text in wallets)))
    lead = f"{len(run.ids)} households, {run.last_tick + 1:,} steps; written by another program."
    return summary_pane(lead, f"Run {run.name}", said, [], [], None, html.Div())
