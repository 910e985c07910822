"""The simulated ESP32 and its world."""
