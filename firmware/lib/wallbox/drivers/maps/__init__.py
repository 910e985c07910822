"""Register maps as data, one maker a file; docs/meters.md has the sources."""
