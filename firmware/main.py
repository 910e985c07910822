# Run the box. What does so lies in ROM, where it takes no heap; this file is compiled into it.
while True:
    try:  # as in boot.py: each script begins with a Ctrl-C that interrupts
        import micropython

        micropython.kbd_intr(-1)
        for _ in range(2):
            pass
        break
    except KeyboardInterrupt:
        pass
from wallbox import start  # noqa: E402

start.run()
