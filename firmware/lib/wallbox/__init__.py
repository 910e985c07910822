"""The wallbox agent: a metering charge point."""
