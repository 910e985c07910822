"""Hardware: boards as data, the simulated box and its world."""
