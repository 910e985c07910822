"""From a bare ESP32 to a certified wallbox over USB: the installation partner's commands."""
