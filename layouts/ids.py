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
