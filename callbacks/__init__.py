"""What pages do: parse what the browser sent, call the core, return what to show."""
