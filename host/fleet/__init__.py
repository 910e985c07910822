"""Simulated boxes at a real broker: many of them as a load, or one with the ledger of a log."""
