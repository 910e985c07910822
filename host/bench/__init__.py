"""Commands for a developer with a bench: its parts tried, the wiring of a board."""
