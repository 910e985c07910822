"""The verbs that change the configuration: which keys each may."""

from .. import build
from ..commands import ACCEPTED, REBOOT_REQUIRED, REJECTED, settings

_NETWORK = (
    "wifi.ssid wifi.password broker.host broker.port broker.user broker.password broker.tls "
    "broker.ca broker.certificate broker.key broker.psk_identity broker.psk_key "
    "broker.keep_alive_s clock.host clock.port"
)
_NEVER = "serial type chip lifecycle"  # of whoever provisions the box


async def network(reply, given) -> tuple:
    for key in given[0]:
        if key not in _NETWORK.split(" "):
            return REJECTED, "%s: not a network setting" % key[:40], {"field": key[:40]}
    return _change(reply, given[0])


async def configure(reply, given) -> tuple:
    for key in given[0]:
        if key in _NEVER.split(" "):
            return REJECTED, "%s: only who provisions the box sets it" % key, {"field": key}
    return _change(reply, given[0])


def _change(reply, values: dict) -> tuple:
    answer, info, field = settings.store(values, reply.console.ear.serial or build.serial())
    if answer != ACCEPTED:
        return answer, info, {"field": field}
    return REBOOT_REQUIRED, "stored; in force after restart", {}
