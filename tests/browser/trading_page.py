"""What tests do on the trading page's playback, and what its cards say of the arrays of a run."""

import json
from typing import Any

from energy_sim.config import load_config
from energy_sim.runs import RunStore
from energy_sim.trading.playback import RecordedTrading, open_playback
from tests.browser.dashboard import Page, rounded


class TradingPage(Page):
    """The page with a run in playback; it opens paused."""

    STATE = "kraftflyt.tradingPage().last"

    def open(self, path: str = "/trading") -> "TradingPage":
        self.load("/health")
        self.load(path)
        self.ready()
        return self

    def ready(self) -> None:
        """Wait for the first step."""
        self.wait(f"kraftflyt.tradingPage() && Boolean({self.STATE})", "the first step")

    def run(self) -> RecordedTrading:
        """The newest run of the server, as the core reads it."""
        store = RunStore(load_config(self.server.config_file).path(str(self.server.folder / "runs")))
        return open_playback(store, store.list()[0].name)

    def last(self) -> dict[str, Any]:
        return self.js(f"return {self.STATE}")

    def until(self, condition: str, what: str = "") -> Any:
        """Wait for something about the step on screen, `m`."""
        return self.wait(f"(m => {condition})({self.STATE})", what or condition)

    def scrub(self, tick: int) -> dict[str, Any]:
        self.set_range("scrub", tick)
        self.until(f"m.t === {tick}", f"step {tick}")
        return self.last()

    def choose(self, simulation: str) -> None:
        """Press the chip of a simulation."""
        self.click(f"[data-command=simulation][data-value={simulation}]")
        self.until(f"m.set.simulation === '{simulation}'")

    def link(self) -> dict[str, str]:
        return self.js("const p = kraftflyt.tradingPage(); return {session: p.session, key: p.key}")

    def text(self, selector: str) -> str:
        return self.js("return document.querySelector(arguments[0]).textContent", selector)

    def rows(self, place: str) -> list[list[str]]:
        """The rows of a table."""
        return self.js(
            "return [...document.querySelectorAll(arguments[0] + ' tbody tr')]"
            ".map(r => [...r.children].map(c => c.textContent))",
            place,
        )

    def cards(self) -> dict[str, list[str]]:
        """Card of the step -> value and both notes."""
        return self.js(
            "return Object.fromEntries([...document.querySelectorAll('#trading-cards .kf-figure')].map(c =>"
            "[c.dataset.card, ['value', 'note'].flatMap(n => [...c.querySelectorAll('.kf-figure-' + n)])"
            ".map(e => e.textContent)]))"
        )

    def tab(self, name: str) -> None:
        self.click(f"#tab-{name}")
        self.wait(f"!document.getElementById('pane-{name}').hidden")

    def charts(self) -> list[str]:
        """The charts on screen that are drawn."""
        return self.js(
            "return [...document.querySelectorAll('#trading-charts [data-chart]')]"
            ".filter(p => p.querySelector('.js-plotly-plot') && p.querySelector('.js-plotly-plot')._fullLayout)"
            ".map(p => p.dataset.chart)"
        )

    def charts_are(self, *names: str) -> None:
        self.wait(
            "JSON.stringify([...document.querySelectorAll('#trading-charts [data-chart]')]"
            ".filter(p => p.querySelector('.js-plotly-plot') && p.querySelector('.js-plotly-plot')._fullLayout)"
            f".map(p => p.dataset.chart)) === {json.dumps(json.dumps(names, separators=(',', ':')))}",
            f"the charts {names}",
        )


def energy(kwh: float) -> str:
    """An energy as the cards say it; messages hold three decimals."""
    kwh = round(kwh, 3)
    if abs(kwh) < 999.5:
        return f"{rounded(kwh, 2 if abs(kwh) < 99.5 else 0)}\u00a0kWh"
    return f"{rounded(kwh / 1000, 2)}\u00a0MWh"


def expected_cards(run: RecordedTrading, simulation: str, tick: int) -> dict[str, list[str]]:
    """What the cards say of a step, from the arrays of the run."""
    own, base = (
        {name: float(column[tick].sum()) for name, column in run.simulations[which].columns.items()}
        for which in (simulation, "baseline")
    )
    price = [f"{rounded(100 * round(float(p[tick]), 5), 1)}\u00a0ct/kWh" for p in (run.steps.buy, run.steps.sell)]
    pool = float(run.steps.p2p_price[tick])
    trades = len(run.trades_of(simulation, tick).kwh)

    def beside(name: str, unit: str = "") -> str:
        now, before = round(own[name], 3), round(base[name], 3)
        if simulation == "baseline":
            return "baseline"
        if abs(now - before) < 0.005:
            return "as in the baseline"
        return f"baseline {energy(before)}" if not unit else f"baseline {rounded(before, 2)}\u00a0{unit}"

    curtailed = f"curtailed {energy(own['curtailed_kwh'])}" if own["curtailed_kwh"] > 0.0005 else ""
    return {
        "From the grid": [energy(own["grid_buy"]), beside("grid_buy"), price[0]],
        "To the grid": [energy(own["grid_sell"]), beside("grid_sell"), price[1]],
        "Among neighbours": [
            energy(own["p2p_buy_amount"]),
            f"{trades} trades" if trades else "no trade",
            ""
            if simulation == "baseline"
            else "–"
            if pool != pool
            else f"{rounded(100 * round(pool, 5), 1)}\u00a0ct/kWh",
        ],
        "In batteries": [energy(own["stored_kwh"]), beside("stored_kwh"), ""],
        "Wallets together": [f"{rounded(round(own['wallet'], 3), 2)}\u00a0EUR", beside("wallet", "EUR"), ""],
        "Unserved": [energy(own["unserved_kwh"]), beside("unserved_kwh"), curtailed],
    }
