"""Builds the box from its board and its configuration, and runs its tasks."""

import asyncio

import board
import esp32
import machine
import network
from micropython import const

from . import agent as agents
from . import crash, forget, inbox, report, sampling, version
from .core import engine, events
from .drivers import clock, contactor, lamp, meter, meter_maps, pilot, wifi
from .link import link
from .store import StoreError, ledger, trace

CONFIG_FILE = "config.json"

_SENSE_MS = const(20)
_NETWORK_MS = const(100)
_KEEP_MS = const(1000)
_TRACE_MS = const(10_000)
_WATERMARK_MS = const(3_600_000)  # one that is lost is only asked for again
_HEALTHY_MS = const(60_000)  # after that long a boot was no crash
_REPORT_MS = const(30_000)
_IN_SIZE = const(512)  # an acknowledgement has 20 bytes and its topic
_RECOVER_MS = const(60_000)  # between two attempts to go on after the ledger took nothing


class Box:
    """The drivers and the agent of one box."""

    def __init__(self, watchdog, key: bytes):
        self.watchdog = watchdog
        self.values, self.config_error = _load_config()
        values = self.values
        pin = machine.Pin
        self.contactor = contactor.Contactor(
            pin(board.CONTACTOR, pin.OUT, value=0),
            pin(board.CONTACTOR_FEEDBACK, pin.IN, pin.PULL_UP),
            board.CONTACTOR_CLOSED_LEVEL,
        )
        self.pilot = pilot.Pilot(
            machine.PWM(pin(board.PILOT_PWM), freq=1000, duty_u16=65_535),
            machine.ADC(pin(board.PILOT_ADC), atten=machine.ADC.ATTN_11DB),
            board.PILOT_UV_AT_MINUS_12V,
            board.PILOT_UV_AT_PLUS_12V,
        )
        lights = (board.LAMP_RED, board.LAMP_GREEN, board.LAMP_BLUE)
        self.lamp = lamp.Lamp(*[pin(number, pin.OUT) for number in lights])
        self._flushed_at = self._marked_at = self._recovered_at = 0
        self._clock_news = False
        self.inbox = inbox.Inbox()
        self.clock = clock.Clock(values["clock.host"], values["clock.port"], machine.RTC())
        self.wifi = wifi.Wifi(
            network.WLAN(network.WLAN.IF_STA), values["wifi.ssid"], values["wifi.password"]
        )
        self.sampling = sampling.Sampling(_meter(values), self.inbox, self.charging)
        self._open_store(key)
        self.agent = agents.Agent(
            self.inbox, self.ledger, self.trace, self, self.ledger.last_boot + 1
        )
        self.report = report.Report(
            values["serial"], version.TEXT, self.agent, self.sampling, self.clock
        )
        self.link = link.Link(
            _link_config(values),
            self.ledger,
            self.report.build,
            self.link_changed,
            self.clock.now,
            self.online,
        )
        self.report.watch_link(self.link)

    def charging(self) -> bool:
        return self.agent.state.contactor == 1

    def online(self) -> bool:
        return self.wifi.up

    def link_changed(self, code: int) -> None:
        from .link import texts

        print(texts.explain(self.link, code))
        forget("wallbox.link", "texts")
        event = self.inbox.claim(events.LINK)
        if event:
            event[1] = code
            self.inbox.commit()

    def _open_store(self, key: bytes) -> None:
        find = esp32.Partition.find
        self.ledger = ledger.Ledger(find(esp32.Partition.TYPE_DATA, label="ledger")[0], key)
        self.trace = trace.Trace(find(esp32.Partition.TYPE_DATA, label="trace")[0], key)
        self.ledger.mount()
        self.trace.mount()

    def recover(self) -> None:
        """Power is back: the ledger's state, the last heartbeat, then business as usual."""
        now = self.clock.now()
        heartbeat = self.trace.last_of(events.METER_READING)
        register_wh = 0
        boot = [events.BOOT, self.agent.boot, machine.reset_cause(), 0, 0, 0, 0, version.BYTES]
        if heartbeat is not None:
            packed, _uptime_ms, _boot, utc_s, quality = heartbeat
            reading = [0] * events.MAX_FIELDS
            events.unpack_into(reading, packed, 0, len(packed))
            register_wh = reading[1]
            boot[3:7] = [1, register_wh, utc_s, quality]
        valid = 0 if self.config_error else 1
        limit_ma = self.values["installation_limit_a"] * 1000
        interval_s = self.values["interval_s"]
        config = [events.CONFIG, valid, limit_ma, interval_s, self.values["digest"]]
        self.agent.recover(config, boot, now)
        state = self.agent.state
        if state.meter_id:
            self.sampling.meter.resume(max(state.accounted_wh, register_wh), state.meter_id)
        if machine.reset_cause() != machine.PWRON_RESET and self.clock.recall(now):
            self._tell_clock(now)

    # The tasks. Each only feeds the inbox, or drains the ledger.

    async def decide(self) -> None:
        while True:
            event = self.inbox.take()
            while event is not None:
                self.agent.take(event, self.clock.now())
                self.inbox.release()
                event = self.inbox.take()
            self.link.status_changed()
            await self.inbox.wait()

    async def sense(self) -> None:
        closed = -1
        while True:
            now = self.clock.now()
            if self.pilot.sample() or self.pilot.letter != self.agent.state.letter:
                event = self.inbox.claim(events.PILOT)
                if event:
                    event[1] = self.pilot.letter
                    event[2] = self.pilot.high_mv
                    event[3] = self.pilot.low_mv
                    self.inbox.commit()
            feedback = self.contactor.closed()
            if feedback != closed:
                event = self.inbox.claim(events.CONTACTOR)
                if event:
                    closed = event[1] = feedback
                    self.inbox.commit()
            self.lamp.service(now)
            if now >= self.agent.state.due and self.inbox.claim(events.TICK):
                self.inbox.commit()
            await asyncio.sleep_ms(_SENSE_MS)

    async def measure(self) -> None:
        sampler, now = self.sampling, self.clock.now
        while True:
            sampler.service(now())
            await asyncio.sleep_ms(max(1, sampler.meter.due - now()))

    async def network(self) -> None:
        while True:
            now = self.clock.now()
            if now >= self.wifi.due:
                self.wifi.service(now)
            if self.clock.service(now, self.wifi.up) or self._clock_news:
                self._tell_clock(now)
            await asyncio.sleep_ms(_NETWORK_MS)

    async def keep(self) -> None:
        """House-keeping: what is neither urgent nor allowed to be forgotten."""
        taken, acknowledged, reported_at, healthy = 0, 0, 0, False
        while True:
            await asyncio.sleep_ms(_KEEP_MS)
            now = self.clock.now()
            if self.agent.taken != taken or not self.inbox.take():
                self.watchdog.feed()  # the agent takes what comes
            taken = self.agent.taken
            try:
                self._keep_flash(now)
            except StoreError as error:
                self.agent.halt(error)
            if self.ledger.acknowledged != acknowledged or now - reported_at >= _REPORT_MS:
                acknowledged = self.ledger.acknowledged
                reported_at = now
                self.link.status_changed()
            if not healthy and now >= _HEALTHY_MS:
                healthy = True
                crash.clear()

    def _keep_flash(self, now: int) -> None:
        if now - self._flushed_at >= _TRACE_MS:
            self._flushed_at = now
            self.agent.flush_trace(now)
            self.report.watch()
        if now - self._marked_at >= _WATERMARK_MS:
            self._marked_at = now
            self.ledger.flush_acknowledged()
        if self.sampling.meter.idle and not self.ledger.erase_ahead():
            self.trace.erase_ahead()
        self.agent.tell_ledger()
        if self.agent.halted and now - self._recovered_at >= _RECOVER_MS:
            self._recovered_at = now
            if self.ledger.fill_permille < agents.FULL_PERMILLE:
                self.recover()

    def _tell_clock(self, now: int) -> None:
        event = self.inbox.claim(events.CLOCK)
        self._clock_news = event is None  # no room: offered again
        if event:
            event[1] = self.clock.offset_ms + now
            event[2] = self.clock.quality
            self.inbox.commit()

    async def run(self) -> None:
        tasks = (self.decide(), self.sense(), self.measure(), self.network(), self.keep())
        if self.config_error:
            await asyncio.gather(*tasks)
        await asyncio.gather(*tasks, self.link.run())


def run(watchdog) -> None:
    """Runs the box for ever; returns only if the box has no identity yet."""
    key = _ledger_key()
    if not key:
        print("identity: NVS wallbox/ledger_key is missing; provision the box")
        return
    box = Box(watchdog, key)
    if box.config_error:
        print("configuration:", box.config_error)
    if box.ledger.damaged:
        print("ledger: %d damaged places were passed over, the first at %s"
              % (box.ledger.damaged, box.ledger.damaged_at[0]))
    box.recover()
    asyncio.run(box.run())


def _ledger_key() -> bytes:
    key = bytearray(32)
    try:
        length = esp32.NVS("wallbox").get_blob("ledger_key", key)
    except OSError:
        return b""
    return bytes(key) if length == 32 else b""


def _load_config() -> tuple:
    """(values, None), or values that refuse everything with the error's text."""
    from . import config

    try:
        values, error = config.load(CONFIG_FILE), None
    except config.ConfigError as wrong:
        values, error = config.DEFAULTS, str(wrong)
    values["digest"] = config.digest(values)
    forget("wallbox", "config")
    return values, error


def _meter(values: dict):
    chosen = meter_maps.find(values["meter.model"])
    for maker in ("abb", "eastron", "gavazzi", "inepro"):
        forget("wallbox.drivers.maps", maker)
    baud = values["meter.baud"] or chosen.baud
    parity = values["meter.parity"] or chosen.parity
    uart = machine.UART(
        board.METER_UART,
        baudrate=baud,
        bits=8,
        parity=None if parity == "N" else "EO".index(parity),
        stop=1,
        tx=board.METER_TX,
        rx=board.METER_RX,
        rxbuf=512,
        timeout=0,
    )
    return meter.Meter(uart, chosen, values["meter.address"], baud, parity)


def _link_config(values: dict) -> dict:
    chosen = {"serial": values["serial"]}
    for key in values:
        if key.startswith("broker.") and values[key] != "":
            chosen[key[7:]] = values[key]
    chosen["tls"] = values["broker.tls"] != "none"
    chosen["in_size"] = _IN_SIZE
    return chosen


assert engine.SNAPSHOT_SIZE <= 200
