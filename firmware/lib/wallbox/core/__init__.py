"""The pure heart of the box: events in, decisions out. Imports nothing but its own files."""
