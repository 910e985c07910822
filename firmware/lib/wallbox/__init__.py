"""The wallbox agent: a metering charge point."""

import sys


def forget(package: str, name: str) -> None:
    """Frees a module that is seldom needed; who needs it imports it again."""
    if package + "." + name in sys.modules:
        del sys.modules[package + "." + name]
        delattr(sys.modules[package], name)
