"""Intervals, tests and trends: pure functions on numbers."""
