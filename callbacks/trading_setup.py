"""The setup half of the trading page: what the panes begin with, the answer to every change, previews."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from dash import ClientsideFunction, Dash, Input, Output, State, dcc

from callbacks import trading_choice as choices
from callbacks import trading_files as files
from callbacks import trading_runs, trading_words
from callbacks.exports import checked_theme
from callbacks.services import Services, services
from energy_sim.errors import ConfigError
from energy_sim.figures.community import in_card
from energy_sim.figures.prices import plot_prices
from energy_sim.figures.trading import plot_capacity, plot_profiles, plot_progress
from energy_sim.trading.grid_capacity import write_grid_capacity
from energy_sim.trading.model import GridCapacity
from energy_sim.trading.parameters import TradingParameters, describe_fields
from energy_sim.trading.presets import PRESETS
from layouts import ids
from layouts import trading_setup as panes
from layouts.trading import Setup

NO_MOMENTS, NONE = np.zeros(0, dtype="datetime64[s]"), np.zeros(0)
_LAW = ("allocation_key", "grid_fee_reduction", "grid_fee_eur_per_kwh", "levies_eur_per_kwh")


def setup(services: Services, theme: str) -> Setup:
    """The panes as they open; the browser puts in what was chosen there before."""
    config, shown = services.config.trading, checked_theme(theme)
    chosen = {
        "parameters": TradingParameters().model_dump(mode="json"),
        "households": files.default_households(services.config),
        "grid_capacity": "",
        "prices": "",
    }
    groups = panes.Groups(describe_fields(), titles(), {name: p.title for name, p in PRESETS.items()})
    empty = previews(services, None, shown)
    run = panes.run_pane(progress_chart(shown), may_run=config.run_from_page)
    stores = panes.setup_stores(offered(services, chosen))
    return Setup(
        parameters=panes.parameters_pane(groups),
        data=panes.data_pane(groups, *empty, config.max_upload_mb),
        run=[*stores, run],
        chosen=chosen,
    )


def titles() -> dict[str, tuple[str, str]]:
    """Each group's title and what it is about."""
    return {
        name: (field.title or name, (type(field.default).__doc__ or "").strip())
        for name, field in TradingParameters.model_fields.items()
    }


def offered(services: Services, chosen: dict[str, Any]) -> dict[str, Any]:
    """What the page's script knows: values at first, files on offer, rules of countries, how much may be loaded."""
    presets = {
        name: {
            "values": {field: getattr(preset, field) for field in _LAW},
            "source": f"{preset.source} ({preset.source_date}). {preset.amounts_source}. {preset.note}",
        }
        for name, preset in PRESETS.items()
    }
    on_offer = {kind: list(found) for kind, found in files.offered(services.config).items()}
    return {"chosen": chosen, "files": on_offer, "presets": presets, "mb": services.config.trading.max_upload_mb}


def check(services: Services, chosen: Any) -> dict[str, Any]:
    """What the page says of a choice.

    Returns:
        {n, problems [[place, text]], facts, key, words, size, command, note}: ``n`` is the choice's own number, ``key``
        changes when the previews do; what is said of the run is empty while something is wrong.
    """
    choice, problems = choices.read_choice(services.config, chosen)
    known, faults = choices.facts_of(services.config, chosen)
    answer = {"n": None, "facts": known, "key": "", "words": [], "size": "", "command": "", "note": ""}
    if isinstance(chosen, dict):
        answer["n"] = chosen.get("n")
    if choice is None or faults:
        return {**answer, "problems": [list(problem) for problem in (*problems, *faults)]}
    inputs = choices.inputs_of(choice)
    answer["key"] = str(hash((choice.parameters.model_dump_json(), *choice.called)))
    if inputs.profiles is not None and not inputs.problems:
        answer["words"] = trading_words.in_words(choice, inputs)
        answer["size"] = trading_words.size(services.runs, choice, inputs.profiles)
        answer["command"], answer["note"] = trading_words.command_line(services.config, choice)
    return {**answer, "problems": [list(problem) for problem in inputs.problems]}


def previews(services: Services, chosen: Any, theme: str) -> tuple[Any, Any, Any]:
    """Charts of the first days: households, limits of the grid, prices; empty where there is nothing to show."""
    shown, none = checked_theme(theme), np.zeros((0, 0))
    choice = choices.read_choice(services.config, chosen)[0] if chosen else None
    inputs = choices.inputs_of(choice) if choice else None
    if inputs is None or inputs.profiles is None:
        figures = (
            plot_profiles(NO_MOMENTS, none, none, shown),
            plot_capacity(NO_MOMENTS, NONE, NONE, shown),
            plot_prices(NO_MOMENTS, NONE, NONE, shown),
        )
        return tuple(_carded(figure.update_layout(annotations=[])) for figure in figures)  # type: ignore[return-value]
    profiles, few = inputs.profiles, choices.preview_steps(inputs.profiles)
    at = profiles.begins[:few]
    limits = inputs.capacity or GridCapacity(np.full(few, np.inf), np.full(few, np.inf))
    prices = (at, inputs.prices.buy[:few], inputs.prices.sell[:few]) if inputs.prices else (NO_MOMENTS, NONE, NONE)
    return (
        _carded(plot_profiles(at, profiles.load_kwh[:few], profiles.pv_kwh[:few], shown)),
        _carded(_capacity_chart(at, limits, shown)),
        _carded(plot_prices(*prices, shown)),
    )


def _capacity_chart(at: Any, limits: GridCapacity, shown: Any) -> Any:
    few = len(at)
    if np.isfinite(limits.import_kw[:few]).any() or np.isfinite(limits.export_kw[:few]).any():
        return plot_capacity(at, limits.import_kw[:few], limits.export_kw[:few], shown)
    return plot_capacity(NO_MOMENTS, NONE, NONE, shown).update_annotations(text="No limit").update_traces(visible=False)


def progress_chart(theme: str) -> Any:
    """The curves of a run before there is any step; assets/trading-setup.js makes them grow."""
    none = (NONE, NONE)
    return _carded(plot_progress(NO_MOMENTS, none, none, checked_theme(theme)))


def _carded(figure: Any) -> Any:
    return in_card(figure).update_layout(margin={"l": 64, "r": 12, "t": 28, "b": 32})


def capacity_csv(services: Services, chosen: Any) -> bytes:
    """The limits of the grid of a choice for all its steps, also while they are not in use.

    Raises:
        ConfigError, DataError: the choice cannot be used.
    """
    choice, problems = choices.read_choice(services.config, chosen)
    if choice is None:
        raise ConfigError(f"no limits to download yet: {choices.sentence(problems)}")
    inputs = choices.inputs_of(choices.with_limits(choice))
    if inputs.profiles is None or inputs.capacity is None:
        raise ConfigError(f"no limits to download yet: {choices.sentence(inputs.problems)}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid_capacity.csv"
        write_grid_capacity(path, inputs.capacity)
        return path.read_bytes()


def register(app: Dash) -> None:
    """Attach the callbacks and addresses."""
    trading_runs.register(app)

    @app.callback(Output(ids.TRADING_CHECKED, "data"), Input(ids.TRADING_CHOSEN, "data"), prevent_initial_call=True)
    def checked(chosen: Any) -> Any:
        return check(services(), chosen)

    @app.callback(
        Output(ids.TRADING_PROFILES, "figure"),
        Output(ids.TRADING_CAPACITY, "figure"),
        Output(ids.TRADING_PRICES, "figure"),
        Input(ids.TRADING_PREVIEW_ASK, "data"),
        Input(ids.THEME, "data"),
        State(ids.TRADING_CHOSEN, "data"),
        prevent_initial_call=True,
    )
    def preview(_asked: Any, theme: str | None, chosen: Any) -> Any:
        return previews(services(), chosen, theme or "dark")

    @app.callback(
        Output(ids.TRADING_CAPACITY_FILE, "data"),
        Input(ids.TRADING_CAPACITY_GET, "n_clicks"),
        State(ids.TRADING_CHOSEN, "data"),
        prevent_initial_call=True,
        running=[(Output(ids.TRADING_CAPACITY_GET, "disabled"), True, False)],
    )
    def download(_n: int, chosen: Any) -> Any:
        return dcc.send_bytes(capacity_csv(services(), chosen), "grid_capacity.csv")

    @app.callback(Output(ids.TRADING_SO_FAR, "figure"), Input(ids.THEME, "data"), prevent_initial_call=True)
    def so_far(theme: str | None) -> Any:
        return progress_chart(theme or "dark")

    for name, store in (
        ("tradingOpened", ids.TRADING_OFFERED),
        ("tradingChecked", ids.TRADING_CHECKED),
        ("tradingJob", ids.TRADING_JOB),
    ):  # with an output, which they leave alone, they are called when the page opens too
        app.clientside_callback(
            ClientsideFunction("kraftflyt", name), Output(store, "modified_timestamp"), Input(store, "data")
        )
    app.clientside_callback(ClientsideFunction("kraftflyt", "tradingPoll"), Input(ids.TRADING_POLL, "n_intervals"))
    app.clientside_callback(ClientsideFunction("kraftflyt", "tradingSoFar"), Input(ids.TRADING_SO_FAR, "figure"))
