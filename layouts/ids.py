"""Ids of components that callbacks name, one constant each."""

THEME = "theme"  # store: dark | light
TOAST = "toast"

TICK = "tick"  # interval of the live page
MESSAGE = "message"  # store: the last tick's message
COMMAND = "command"  # store: the last control used, {n, name, value}
LINK = "session-link"  # store: {session, key}
ACK = "ack"  # store: the server's answer to a command, {n, err}
SEEN = "seen"  # store: what the page has drawn, {t, v, ep}
STATIC = "static"  # store: geometry, names, limits: everything about a session that does not change
REFRESH = "refresh"  # store: asks for the charts anew
CHARTED = "charted"  # store: the last tick that the charts hold
WINDOW = "chart-window"
SHOW = "reservoir-lines"

ZONES_PAGE = "zones-page"
ZONES_NETWORK = "zones-network"
ZONES_FLOWS = "zones-flows"
ZONES_RESERVOIRS = "zones-reservoirs"
ZONES_TABS = "zones-tabs"
ZONES_QUALITY = "zones-quality"
ZONES_COMPARE = "zones-compare"
ZONES_COMPARE_EVENT = "zones-compare-event"
ZONES_COMPARE_RUN = "zones-compare-run"
ZONES_EXPORT = "zones-export"
ZONES_EXPORT_WHAT = "zones-export-what"
ZONES_EXPORT_KIND = "zones-export-kind"
ZONES_EXPORT_RUN = "zones-export-run"
ZONES_SAVE = "zones-save"
ZONES_SAVED = "zones-saved"

COMMUNITY_PAGE = "community-page"
COMMUNITY_STREET = "community-street"
COMMUNITY_POWER = "community-power"
COMMUNITY_WINDOW = "community-window"
COMMUNITY_SELECTED = "community-selected"  # store: the house whose panel is open, its place in the street
COMMUNITY_HOUSE_CHART = "community-house-chart"
COMMUNITY_SANKEY = "community-sankey"
COMMUNITY_SANKEY_ASK = "community-sankey-ask"  # store: asks for the day's energy anew
COMMUNITY_STATEMENTS = "community-statements"
COMMUNITY_STATEMENTS_ASK = "community-statements-ask"  # store: asks for the statements anew
COMMUNITY_EXPORT = "community-export"
COMMUNITY_EXPORT_WHAT = "community-export-what"
COMMUNITY_EXPORT_KIND = "community-export-kind"
COMMUNITY_EXPORT_RUN = "community-export-run"
COMMUNITY_SAVE = "community-save"
COMMUNITY_SAVED = "community-saved"

LIBRARY_LIST = "library-list"
LIBRARY_LEFT = "library-left"
LIBRARY_RIGHT = "library-right"
LIBRARY_SIDE_BY_SIDE = "library-side-by-side"
LIBRARY_DOWNLOAD = "library-download"
LIBRARY_FILE = "library-file"  # download of one figure or table
LIBRARY_FILE_RUN = "library-file-run"
LIBRARY_FILE_WHAT = "library-file-what"
LIBRARY_FILE_KIND = "library-file-kind"
LIBRARY_FILE_GET = "library-file-get"

TRADING_PAGE = "trading-page"
TRADING_TABS = "trading-tabs"
TRADING_OPEN = "trading-open"  # store: {run}: whether a run is played back
TRADING_CHOSEN = "trading-chosen"  # store: {parameters, households, grid_capacity, prices} of the next run
TRADING_JOB = "trading-job"  # store, kept by the browser: the run this browser has started
TRADING_POLL = "trading-poll"  # interval that asks how far it is
TRADING_PROGRESS = "trading-progress"  # the bar above the tabs

TRADING_RING = "trading-ring"
TRADING_CHARTS = "trading-charts"
TRADING_SHOWN = "trading-shown"  # which charts
TRADING_BANDS = "trading-bands"
TRADING_DRAWN = "trading-drawn"  # store: what the charts were drawn with
TRADING_SAVINGS = "trading-savings"
TRADING_EXPORT = "trading-export"
TRADING_EXPORT_WHAT = "trading-export-what"
TRADING_EXPORT_KIND = "trading-export-kind"
TRADING_EXPORT_RUN = "trading-export-run"
TRADING_VERIFY = "trading-verify"
TRADING_VERIFIED = "trading-verified"
TRADING_BLOCK = "trading-block"
TRADING_TRADE = "trading-trade"
TRADING_PROOF = "trading-proof"

TRADING_OFFERED = "trading-offered"  # store: defaults, presets, files on offer: what the setup's script knows
TRADING_CHECKED = "trading-checked"  # store: what the server says of the choice, {problems, facts, words, command, ...}
TRADING_PREVIEW_ASK = "trading-preview-ask"  # store: asks for the charts of the data tab anew
TRADING_PROFILES = "trading-profiles"
TRADING_CAPACITY = "trading-capacity"
TRADING_CAPACITY_GET = "trading-capacity-get"
TRADING_CAPACITY_FILE = "trading-capacity-file"  # download of the grid capacity
TRADING_PRICES = "trading-prices"
TRADING_SO_FAR = "trading-so-far"  # the chart that grows while a run computes
