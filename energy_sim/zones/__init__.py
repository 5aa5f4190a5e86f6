"""Hydro and wind zones, day by day. Start with README.md, then kernel.py for the daily step."""
