"""The verbs of `hw.verbs` on a real bench: relays, USB adapters, a broker (docs/hil.md)."""
