"""Batteries and trade among neighbours against doing nothing."""
