"""Small parts that pages share. Controls carry data attributes; assets/shell.js makes them work."""

from typing import Any

from dash import dcc, html

from energy_sim.figures.theme import PLOTLY_CONFIG


def command_button(name: str, label: str, text: str, value: object = None, **more: Any) -> html.Button:
    """A button that sends the command `name`; `label` is read aloud and shown as tooltip."""
    data = {"data-command": name, "aria-label": label}
    if value is not None:
        data["data-value"] = str(value)
    return html.Button(text, title=label, className=more.pop("className", "kf-button"), type="button", **data, **more)


def switch(name: str, label: str, hint: str) -> html.Button:
    """An on/off switch that sends the command `name`; its position is drawn from the session."""
    return html.Button(
        [html.Span(label, className="kf-switch-label"), html.Span(className="kf-switch-track")],
        className="kf-switch",
        title=hint,
        type="button",
        role="switch",
        **{"data-switch": name, "aria-checked": "false", "aria-label": label},
    )


def slider(name: str, label: str, low: float, high: float, step: float, value: float, unit: str = "") -> html.Div:
    """A slider that sends the command `name` when released; assets/shell.js adds the input element."""
    data = {"data-range": name, "data-label": label, "data-min": low, "data-max": high, "data-step": step}
    return html.Div(
        className="kf-range", **{k: str(v) for k, v in data.items()}, **{"data-value": str(value), "data-unit": unit}
    )


def card(title: str, children: Any, **more: Any) -> html.Section:
    """A panel with a heading."""
    return html.Section([html.H2(title, className="kf-card-title"), *_list(children)], className="kf-card", **more)


def graph(figure: Any, graph_id: str | None = None) -> html.Div:
    """A chart that fills its place; the height is set in assets/theme.css."""
    named = {} if graph_id is None else {"id": graph_id}
    config = {**PLOTLY_CONFIG, "displayModeBar": False}
    return html.Div(dcc.Graph(figure=figure, config=config, responsive=True, **named), className="kf-graph")


def flows_legend() -> html.Ul:
    """What the areas of `plot_energy_flows_summary` mean, in their colours and patterns."""
    layers = ("demand", "unmet", "import2", "hydro", "import1", "wind")
    names = ("Demand", "Unmet", "Imports 2", "Local hydro", "Imports 1", "Wind used")
    return html.Ul(
        [
            html.Li([html.Span(className=f"kf-swatch kf-swatch-{layer}"), name])
            for layer, name in zip(layers, names, strict=True)
        ],
        className="kf-legend-row",
    )


def message_page(title: str, text: str, link_text: str, href: str) -> html.Main:
    """A page that says what is the matter and where to go."""
    return html.Main(
        [html.H1(title), html.P(text), dcc.Link(link_text, href=href, className="kf-button kf-primary")],
        className="kf-message-page",
    )


def table(columns: list[str], rows: list[list[Any]], caption: str, numeric_from: int = 1) -> html.Table:
    """A plain table; columns from `numeric_from` on are set right."""
    head = html.Thead(
        html.Tr([html.Th(c, scope="col", className=_side(i, numeric_from)) for i, c in enumerate(columns)])
    )
    body = html.Tbody(
        [html.Tr([html.Td(cell, className=_side(i, numeric_from)) for i, cell in enumerate(row)]) for row in rows]
    )
    return html.Table([html.Caption(caption), head, body], className="kf-table")


def _side(column: int, numeric_from: int) -> str:
    return "kf-number" if column >= numeric_from else ""


def _list(children: Any) -> list[Any]:
    return list(children) if isinstance(children, (list, tuple)) else [children]
