# Kraftflyt in one container: the dashboard on port 8050, sessions in /app/var, finished runs in
# /app/runs, what agents log in /app/logs.
#   docker compose up --build          or          docker build -t kraftflyt . && docker run -p 8050:8050 kraftflyt
FROM python:3.11-slim

# Chromium draws PNG and SVG; everything else comes with the Python packages.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends chromium fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/*

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    BROWSER_PATH=/usr/bin/chromium \
    NUMBA_CACHE_DIR=/app/var/numba

WORKDIR /app

# The packages first: they change less often than the code.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE config.yaml app.py ./
COPY energy_sim energy_sim
COPY layouts layouts
COPY callbacks callbacks
COPY assets assets
COPY stories stories
COPY input input
COPY examples examples
RUN pip install --no-deps --no-build-isolation .

# Only these folders are written to.
RUN useradd --create-home --uid 10001 kraftflyt \
    && mkdir --parents var runs logs \
    && chown --recursive kraftflyt:kraftflyt var runs logs
USER kraftflyt
VOLUME ["/app/var", "/app/runs", "/app/logs"]

EXPOSE 8050
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8050/', timeout=4)"]
CMD ["energy-sim", "serve"]
