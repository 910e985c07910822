"""Names that the box and the orders have for things, in the partner's language.

Files, `--json` and the certificate's JSON keep the names themselves, which are keys; screens and
the page for people show these.
"""

from __future__ import annotations

from host.provisioning.texts import N_, _

# firmware/lib/wallbox/report.py
LIFECYCLES = (
    N_("factory"), N_("commissioned"), N_("in service"), N_("suspended"), N_("on hold"),
    N_("decommissioned"),
)
# lines of the self-test: those of firmware/lib/wallbox/selftest/, then those of step_test.py
LINES = {
    "meter": N_("meter"),
    "phases": N_("phases"),
    "register": N_("register"),
    "idle-current": N_("idle current"),
    "pilot": N_("pilot"),
    "contactor": N_("contactor"),
    "reader": N_("tag reader"),
    "tap": N_("test tap"),
    "seals": N_("seal loops"),
    "seals-open": N_("seals opened"),
    "lamp": N_("lamp"),
    "wifi": N_("Wi-Fi"),
    "address": N_("address"),
    "dns": N_("DNS"),
    "time": N_("time"),
    "tls": N_("TLS"),
    "broker": N_("broker"),
    "acknowledged": N_("acknowledged"),
    "test-plug": N_("test plug"),
    "meter-serial": N_("meter's serial"),
    "display": N_("meter's display"),
}
# what `wallbox devices` finds at a port
CONTENTS = (
    N_("wallbox"), N_("MicroPython"), N_("blank"), N_("no answer"), N_("trouble"),
)


def lifecycle_name(lifecycle: object) -> str:
    """Also for None: a box without an agent tells none."""
    text = str(lifecycle or "")
    return _(text) if text in LIFECYCLES else text or "–"


def line_name(name: str) -> str:
    return _(LINES[name]) if name in LINES else name


def content_name(content: str) -> str:
    return _(content) if content in CONTENTS else content
