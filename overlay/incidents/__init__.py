"""Incidents as values: what was recorded of each, and what follows from it. No store, no web, no clock."""
