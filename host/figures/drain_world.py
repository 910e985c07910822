"""What a drain needs around the box: a full ledger, a broker, an operator that says what it has."""

from __future__ import annotations

import hmac
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from wallbox.core import decisions
from wallbox.store.ledger import Ledger
from wallbox.store.record import MAC_SIZE

from host.collect.packed import unpacked
from host.records import Record, acknowledgement, chain_genesis, split
from hw.sim.broker import Mosquitto
from hw.sim.flash import NorFlash, Partition
from hw.sim.ports import free_port

SERIAL = "BENCH"
KEY = bytes(range(32))
PSK = "00112233445566778899aabbccddeeff"
LEDGER_SIZE = 0x200000  # more than the box's 512 KB, which 14 days of minutes would not fit
_STATE_S = 0.1
_BEGIN_S = 1_790_000_040
_METER = 4711


def broker(directory: Path) -> tuple[Mosquitto, int]:
    """A mosquitto set up as docs/mqtt.md has it, not started; the port of its TLS-PSK listener."""
    psk_port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "psk").write_text(f"{SERIAL}:{PSK}\n")
    lines = (
        "allow_anonymous true",
        "autosave_on_changes false",
        "set_tcp_nodelay true",
        "max_queued_messages 0",
        "max_queued_bytes 100000000",
        f"psk_file {directory / 'psk'}",
        f"listener {psk_port} 127.0.0.1",
        "psk_hint wallbox",
        "use_identity_as_username true",
    )
    return Mosquitto(directory, lines), psk_port


def write_ledger(path: Path, count: int, short: bool) -> int:
    """A flash file with so many records: short ones of 32 bytes, or intervals of a minute."""
    flash = NorFlash(str(path), LEDGER_SIZE)
    ledger = Ledger(Partition(flash, 0, LEDGER_SIZE, "ledger"), KEY)
    ledger.mount()
    payload = bytearray(64)
    register_wh, noise = 12_345_678, 1
    for minute in range(count):
        noise = noise * 1_103_515_245 + 12_345 & 0x7FFFFFFF
        energy_wh = 175 + (noise >> 16) % 16  # 11 kW, more or less
        register_wh += energy_wh
        uptime_ms = 60_000 * minute + (noise >> 8) % 100
        end = 5
        if not short:
            end_utc_s = _BEGIN_S + 60 * minute
            fact = (decisions.INTERVAL, register_wh, _METER, energy_wh, end_utc_s, 3, 60, 0)
            end = decisions.pack_into(payload, 0, fact)
        utc_s = _BEGIN_S + uptime_ms // 1000
        ledger.append(decisions.INTERVAL, 3, 1, uptime_ms, utc_s, bytes(payload[:end]))
        ledger.erase_ahead()
    flash.close()
    return ledger.next_sequence - 1


class Operator:
    """Keeps each record once, in order, and states where it stands ten times a second."""

    def __init__(self, port: int) -> None:
        self.last = 0
        self.mac = chain_genesis(KEY)
        self.repeated = 0
        self.holes = 0
        self._stated = (0, b"")
        self._ending = threading.Event()
        ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench-operator")
        self._client.on_message = self._take
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(f"wallbox/{SERIAL}/ledger", 1)
        self._client.loop_start()
        if not ready.wait(10):
            raise RuntimeError("the bench's operator got no subscription")
        self._stater = threading.Thread(target=self._state, daemon=True)
        self._stater.start()

    def _take(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        for record in split(unpacked(KEY, bytes(message.payload))):
            assert isinstance(record, Record)
            if record.sequence <= self.last:
                self.repeated += 1
            elif record.sequence == self.last + 1:
                due = hmac.digest(KEY, self.mac + record.data[:-MAC_SIZE], "sha256")[:MAC_SIZE]
                assert due == record.mac
                self.last, self.mac = record.sequence, record.mac
            else:
                self.holes += 1

    def _state(self) -> None:
        while not self._ending.wait(_STATE_S):
            where = (self.last, self.mac)
            if where != self._stated:
                self._stated = where
                self._client.publish(f"wallbox/{SERIAL}/ack", acknowledgement(KEY, *where), qos=1)

    def close(self) -> None:
        self._ending.set()
        self._stater.join()
        self._client.disconnect()
        self._client.loop_stop()
