# Ctrl-C is a character from here on (docs/console.md); contactor off before any other import,
# pilot at +12 V: what the board's resistors hold in a reset.
while True:
    try:
        import micropython

        micropython.kbd_intr(-1)
        for _ in range(2):  # one that came before is raised here
            pass
        break
    except KeyboardInterrupt:
        pass
import machine  # noqa: E402

try:
    from board import CONTACTOR, PILOT_PWM

    machine.Pin(CONTACTOR, machine.Pin.OUT, value=0)
    machine.Pin(PILOT_PWM, machine.Pin.OUT, value=1)
except Exception:
    import esp32

    try:
        locked = esp32.NVS("wallbox").get_i32("locked")
    except OSError:
        locked = 0
    if locked:
        machine.reset()  # no prompt, whatever is broken
    raise
