"""The firmware's version."""

TEXT = "0.1.0"
BYTES = TEXT.encode()
