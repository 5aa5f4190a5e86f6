"""Runs that the page starts: jobs in the background, how far they are, stopping them, and their addresses."""

import hashlib
import logging
import os
import secrets
import time
from pathlib import Path
from typing import Any

import flask
from dash import Dash
from werkzeug.exceptions import RequestEntityTooLarge

from callbacks import trading_choice as choices
from callbacks import trading_files as files
from callbacks.services import Services, services
from energy_sim.config import Config
from energy_sim.errors import ConfigError, DataError, EnergySimError
from energy_sim.jobs import Job
from energy_sim.runs import new_name
from energy_sim.trading.parameters import TradingParameters

logger = logging.getLogger(__name__)

MOST_ROWS = 1500  # of one answer; a curve has no more points than that
WAIT_FOR_ONE = 4  # runs that may wait for each that may compute
_PARAMETERS_KEPT_S = 7 * 86400.0


def start(services: Services, chosen: Any) -> str:
    """Start a run in the background.

    Returns:
        The job's id.

    Raises:
        ConfigError, DataError: runs are not started from the page here, too many wait, or the choice cannot be run.
    """
    config = services.config
    if not config.trading.run_from_page:
        raise ConfigError("runs cannot be started from this page; use the command line")
    most = config.trading.most_running
    unfinished = [job for job in services.jobs.list("trading") if job.state in {"waiting", "running", "stopping"}]
    if len(unfinished) >= most * (1 + WAIT_FOR_ONE):
        raise DataError(f"{most} runs compute at once here and {most * WAIT_FOR_ONE} wait already; try again later")
    choice, problems = choices.read_choice(config, chosen)
    if choice is not None and not problems:
        inputs = choices.inputs_of(choice)
        problems = list(inputs.problems)
    if problems or choice is None or inputs.profiles is None:
        raise ConfigError(f"cannot be run yet: {choices.sentence(problems)}", [text for _, text in problems])
    name = new_name("trading")
    arguments = [*_config_option(), "trading", "run", "--households", str(choice.households)]
    arguments += ["--params", str(_kept_parameters(config, choice.parameters))]
    arguments += ["--grid-capacity", str(choice.grid_capacity)] if choice.grid_capacity else []
    arguments += ["--prices", str(choice.prices)] if choice.prices else []
    about = {
        "run": name,
        "households": len(inputs.profiles.ids),
        "steps": inputs.profiles.steps,
        "file": choice.called[str(choice.households)],
        "optimizer": choice.parameters.optimizer.kind,
        "begin": str(inputs.profiles.begins[0].astype("datetime64[s]")),
        "step_h": inputs.profiles.dt_h,
    }
    return services.jobs.start("trading", [*arguments, "--out", str(services.runs.folder / name)], about)


def _config_option() -> list[str]:
    """The configuration of this server for its workers."""
    chosen = os.environ.get("KRAFTFLYT_CONFIG")
    return ["--config", str(Path(chosen).resolve())] if chosen else []


def _kept_parameters(config: Config, parameters: TradingParameters) -> Path:
    """A file of the parameters for the worker; the same ones share a file, old ones go."""
    folder = config.path(config.trading.jobs) / "parameters"
    digest = hashlib.sha256(parameters.model_dump_json().encode()).hexdigest()[:32]
    path, staging = folder / f"{digest}.json", folder / f".{digest}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.json"):
            if time.time() - old.stat().st_mtime > _PARAMETERS_KEPT_S:
                old.unlink(missing_ok=True)
        parameters.save(staging)
        staging.replace(path)
    except OSError as error:
        raise DataError(f"the parameters cannot be written ({error.strerror}); make room on the disk") from error
    return path


def job_json(job: Job, since: int) -> dict[str, Any]:
    """A job as the page follows it; ``next`` is what to ask with the next time.

    Long stretches of rows are thinned to `MOST_ROWS`, the last one always among them.
    """
    rows = job.rows
    every = max(1, -(-len(rows) // MOST_ROWS))
    return {
        "id": job.id,
        "about": dict(job.about),
        "state": job.state,
        "done": job.done,
        "total": job.total or job.about.get("steps", 0),
        "message": job.message,
        "result": job.result,
        "elapsed": max(0.0, (job.updated if job.state in {"done", "stopped", "failed"} else time.time()) - job.started),
        "rows": [dict(row) for row in (*rows[: len(rows) - 1 : every], *rows[-1:])],
        "next": max(since, 0) + len(rows),
    }


def register(app: Dash) -> None:
    """Attach the addresses; bodies are JSON or bytes, which other sites cannot send without being asked first."""

    @app.server.post("/api/trading/run")
    def run() -> Any:
        return answered(lambda: {"id": start(services(), flask.request.get_json(force=False))})

    @app.server.get("/api/trading/jobs/<job_id>")
    def status(job_id: str) -> Any:
        since = flask.request.args.get("since", 0, type=int)
        return answered(lambda: job_json(services().jobs.status(job_id, max(since, 0)), since), 404)

    @app.server.post("/api/trading/jobs/<job_id>/stop")
    def stop(job_id: str) -> Any:
        flask.request.get_json(force=False)
        return answered(lambda: services().jobs.stop(job_id) or {"id": job_id}, 404)

    @app.server.post("/api/trading/parameters")
    def parameters() -> Any:
        return answered(lambda: _checked(flask.request.get_json(force=False)))

    @app.server.post("/api/trading/upload")
    def upload() -> Any:
        return answered(_upload)


def _checked(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ConfigError('the file holds no groups; give an object such as {"battery": {...}}')
    return {"parameters": TradingParameters.from_json(content, "file").model_dump(mode="json")}


def _upload() -> dict[str, str]:
    config, request = services().config, flask.request
    most = config.trading.max_upload_mb
    if most <= 0:
        raise DataError("visitors cannot load files here; ask who runs this page for the file you need")
    if request.mimetype != "application/octet-stream":
        raise DataError("give the file's bytes as application/octet-stream")
    request.max_content_length = int(most * 1e6)
    try:
        return files.keep_upload(config, request.args.get("kind", ""), request.args.get("name", ""), request.stream)
    except RequestEntityTooLarge as error:
        raise DataError(f"the file is larger than {most:g} MB; load fewer rows, or Parquet instead of CSV") from error


def answered(made: Any, code: int = 400) -> Any:
    """What an address answers: the result as JSON, or what was wrong."""
    try:
        return made()
    except EnergySimError as error:
        return {"error": str(error), "problems": list(error.problems)}, code
