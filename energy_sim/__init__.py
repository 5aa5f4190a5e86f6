"""Kraftflyt's simulation core: importable and testable without a web server."""
