"""`socket` whose names and ports lead into the simulated network."""

import usocket
from usocket import *

import _wire


def getaddrinfo(host, port, *rest):
    _wire.pump()
    if _wire.wlan[1] != 1010:
        raise OSError(-202)
    to = _wire.ports.get(port)
    if to == 0:
        raise OSError(-202)
    if to is not None:
        host, port = "127.0.0.1", to
    return usocket.getaddrinfo(host, port, *rest)
