"""The firmware's version."""

TEXT = "0.1.0"
BYTES = TEXT.encode()
CORE = bytes(8)  # hash of the core's files; whoever builds an image puts it in
