"""Homes and batteries: their physics, what controls them, their HTTP and their reports."""
