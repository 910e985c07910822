"""A wallbox at work, on this machine: simulated box and world, real broker, real collector."""
