# What lies between the box and the operator: Wi-Fi, the path, names, the time server; the link's
# transport in simulated time.

from wallbox.link import LOST, NO_BROKER, TLS_FAILED, LinkError

from host.years.on_box.broker import Line
from host.years.on_box.tasks import Flag, _Pause

_NTP_1970 = 2_208_988_800


class Net:
    def __init__(self, site, chance):
        self.site = site
        self.chance = chance
        self.wifi_up = True
        self.path_up = True
        self.names_up = True
        self.time_up = True
        self.time_error_ms = 0  # a time server that lies
        self.slow_ms = 20
        self.tls_broken = False
        self.elsewhere = False  # carried away: other networks in range
        self.asked = 0

    def delay_ms(self):
        return 1 + self.chance.below(self.slow_ms)

    def scan(self):
        return [(b"other",), (b"another",)] if self.elsewhere else [(b"home",)]

    def name_asked(self):
        if not self.names_up or not self.wifi_up:
            raise OSError(-2)

    def time_asked(self, packet):
        """(when, the answer), None if there will be none."""
        self.asked += 1
        late_ms = 2 + self.chance.below(40)
        reached = self.wifi_up and self.path_up and self.time_up
        self.site.poke("network", late_ms if reached else 2001)
        if not reached:
            return None
        utc_ms = self.site.utc_ms() + late_ms // 2 + self.time_error_ms
        seconds = utc_ms // 1000 + _NTP_1970
        answer = bytearray(48)
        answer[0] = 0x24
        answer[1] = 1
        answer[24:32] = packet[40:48]
        answer[40:44] = (seconds & 0xFFFFFFFF).to_bytes(4, "big")
        answer[44:48] = (utc_ms % 1000 * 4294967).to_bytes(4, "big")
        return self.site.at + late_ms, bytes(answer)


class Transport:
    """As link/transport.py. `held` by the world: world.site, one at a time."""

    site = None

    def __init__(self, config, size):
        self.config = config
        self.port = 8883
        self.buffer = bytearray(size)
        self.data = memoryview(self.buffer)
        self.flag = Flag()
        self.shaking = True
        self.line = None
        self.come = b""

    def close(self):
        line, self.line = self.line, None
        if line is not None:
            line.open = False
            if self.site.broker.line is line:
                self.site.broker.line = None
        self.shaking = True
        self.come = b""

    async def open(self, found):
        site = self.site
        net = site.net
        if not net.wifi_up or not net.path_up:
            await _Pause(10_000)
            raise LinkError(NO_BROKER, "timeout")
        await _Pause(net.delay_ms())
        if not site.broker.up:
            raise LinkError(NO_BROKER, "refused")
        if net.tls_broken:
            raise LinkError(TLS_FAILED, "no trust")
        self.flag.clear()
        self.line = Line(site, self._hear, self._gone)
        site.broker.accept(self.line)

    def _hear(self, data):
        self.come += data
        self.flag.set()

    def _gone(self):
        self.flag.set()

    def lost(self, error):
        return LinkError(TLS_FAILED if self.shaking else LOST, error)

    def write(self, buf, start, length):
        if self.line is None or not self.line.open:
            raise self.lost("closed")
        self.shaking = False
        self.line.to_broker(bytes(buf[start : start + length]))
        return length

    async def receive(self):
        while not self.come:
            if self.line is None or not self.line.open:
                raise self.lost("closed")
            await self.flag.wait()
        part = self.come[: len(self.buffer)]
        self.come = self.come[len(part) :]
        self.buffer[: len(part)] = part
        return len(part)
