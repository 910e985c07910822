"""The service console on the USB UART: docs/console.md is its protocol."""
