"""Simulated years: boxes with the real firmware in simulated time, and what must always hold."""
