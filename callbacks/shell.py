"""What works on every page: the theme and the health check."""

from dash import ClientsideFunction, Dash, Input, Output


def register(app: Dash) -> None:
    """Attach the callbacks and the health check."""
    app.clientside_callback(
        ClientsideFunction("kraftflyt", "start"),
        Output("live-summary", "title"),
        Input("_pages_location", "pathname"),
        Input("_pages_location", "search"),
    )

    @app.server.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}
