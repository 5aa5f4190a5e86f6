"""The statements of a month as one HTML page to print: the community's side first, then a sheet for each house."""

import html
import math
from typing import Any

import pandas as pd

from energy_sim.community.economics import Prices
from energy_sim.community.statements import KWH_DECIMALS, CommunityTotals
from energy_sim.figures.theme import FONT_FAMILY, THEMES, Theme, ThemeName, format_number

_NOTE = "From a simulation, not from real meters. Amounts in units of 100 ct."
_HEAD = "<thead><tr><th></th><th>kWh</th><th>ct/kWh</th><th>Amount</th></tr></thead>"
_STYLE = """
@page { size: A4; margin: 20mm }
* { box-sizing: border-box }
body { margin: 0; background: var(--bg); color: var(--ink); font: 14px/1.5 FONT; font-variant-numeric: tabular-nums }
section { max-width: 720px; margin: 24px auto; padding: 32px; background: var(--panel); border-radius: 8px }
header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 24px; margin-bottom: 24px }
h1, h2 { margin: 0; font-size: 20px; line-height: 1.3 }
header p, footer, caption, th { color: var(--muted) }
p { margin: 0 }
table { width: 100%; border-collapse: collapse; margin-bottom: 24px }
caption { text-align: left; padding-bottom: 4px }
th, td { padding: 6px 0 6px 16px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th { font-weight: 400 }
tbody th { color: inherit; text-align: left; padding-left: 0; white-space: normal }
tr:last-child > * { border-bottom: 0 }
.sum > * { font-weight: 600; border-top: 2px solid var(--ink) }
footer { font-size: 12px }
@media screen { section { content-visibility: auto; contain-intrinsic-size: auto 320px } }
@media screen and (max-width: 480px) { section { padding: 16px } th, td { padding-left: 8px } }
@media print {
  :root { --bg: #fff; --panel: #fff; --ink: #000; --muted: #444; --line: #ccc }
  section { max-width: none; margin: 0; padding: 0; border-radius: 0; break-after: page; break-inside: avoid }
  section:last-of-type { break-after: auto }
}
"""


def statement_page(
    title: str, period: str, rows: pd.DataFrame, totals: CommunityTotals, prices: Prices, theme: ThemeName = "light"
) -> str:
    """The page's text; it asks for nothing from outside, and prints black on white.

    Args:
        title: of the window and the first sheet, such as "Statements of July 2026".
        period: for people, on every sheet.
        rows: as `statement_table` makes them, the community's row last.
        totals: as `community_totals` makes them.
        prices: as they stand when the page is made; the sheets carry the mean prices of the period.
        theme: dark or light, on the screen.
    """
    place = html.escape(period)
    sheets = [_community_sheet(html.escape(title), place, rows.iloc[-1], totals, prices)]
    sheets += [_house_sheet(row, place) for row in rows.iloc[:-1].itertuples(index=False)]
    style = f"<style>{_tokens(THEMES[theme])}{_STYLE.replace('FONT', FONT_FAMILY)}</style>"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{style}</head>\n<body>\n'
        + "\n".join(sheets)
        + "\n</body></html>\n"
    )


def _house_sheet(r: Any, period: str) -> str:
    house = html.escape(str(r.house_id), quote=True)
    what = "Balance, to receive" if r.balance_amount > 0 else "Balance, to pay" if r.balance_amount < 0 else "Balance"
    lines = [
        _line("Sold to the community", r.export_kwh, r.sold_ct_per_kwh, r.sold_amount),
        _line("Bought from the community", r.import_kwh, r.bought_ct_per_kwh, 0.0 - r.bought_amount),
        _sum(what, r.balance_amount),
    ]
    return (
        f'<section id="{house}"><header><h2>Statement for {house}</h2><p>{period}</p></header>'
        f"<table>{_HEAD}<tbody>{''.join(lines)}</tbody></table><footer>{_NOTE}</footer></section>"
    )


def _community_sheet(title: str, period: str, mean: pd.Series, totals: CommunityTotals, prices: Prices) -> str:
    t = totals
    lines = [
        _line("Sold to the houses", t.import_kwh, mean["bought_ct_per_kwh"], t.bought_amount),
        _line("Bought from the houses", t.export_kwh, mean["sold_ct_per_kwh"], 0.0 - t.sold_amount),
        _line("Sold to the grid", t.grid_export_kwh, t.grid_bought_ct_per_kwh, t.grid_bought_amount),
        _line("Bought from the grid", t.grid_import_kwh, t.grid_sold_ct_per_kwh, 0.0 - t.grid_sold_amount),
        _sum("Result of the community", t.result_amount),
    ]
    asked = (
        ("House consumption", prices.house_consumption_ct_per_kwh),
        ("PV delivery", prices.pv_delivery_ct_per_kwh),
        ("Grid delivery", prices.grid_delivery_ct_per_kwh),
        ("Grid consumption", prices.grid_consumption_ct_per_kwh),
    )
    listed = "".join(f'<tr><th scope="row">{name}</th><td>{_price(price)}</td></tr>' for name, price in asked)
    shared = format_number(t.shared_kwh, KWH_DECIMALS)
    return (
        f"<section><header><h1>{title}</h1><p>{period}</p></header>"
        f"<table><caption>The community, {format_number(t.houses)} houses; {shared} kWh passed from house to house"
        f"</caption>{_HEAD}<tbody>{''.join(lines)}</tbody></table>"
        f"<table><caption>Prices when this page was made, ct/kWh</caption><tbody>{listed}</tbody></table>"
        f"<footer>{_NOTE} Prices on the sheets are the means of the period.</footer></section>"
    )


def _line(name: str, kwh: float, ct_per_kwh: float, amount: float) -> str:
    cells = (format_number(kwh, KWH_DECIMALS), _price(ct_per_kwh), format_number(amount, 2))
    return f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _sum(name: str, amount: float) -> str:
    return f'<tr class="sum"><th scope="row">{name}</th><td></td><td></td><td>{format_number(amount, 2)}</td></tr>'


def _price(ct_per_kwh: float) -> str:
    return "–" if math.isnan(ct_per_kwh) else format_number(ct_per_kwh, 2)


def _tokens(theme: Theme) -> str:
    return (
        f":root {{ --bg: {theme.bg}; --panel: {theme.panel}; --ink: {theme.ink}; --muted: {theme.muted}; "
        f"--line: {theme.grid} }}"
    )
