"""The sub-meter's driver: polls it over RS-485, and passes on only what is believed.

`service(now)` never blocks and allocates nothing while all is well. The map names the meter,
modbus.py speaks with it, plausible.py judges its register. docs/meters.md tells the rules.
"""

from micropython import const

from . import meter_reasons as reasons
from . import modbus, plausible
from .meter_identity import Identity
from .meter_maps import FIELDS, POWER, REGISTER
from .meter_reading import Reading
from .meter_values import value

# what `service` answers
NOTHING = const(0)
READING = const(1)  # `reading` is new
REFUSED = const(2)  # `blocked`: no value is believed until the cause is gone; `reason`
SILENT = const(3)  # the meter has stopped answering
IDENTITY = const(4)  # `identity` was read
SUSPECT = const(5)  # one value was not believed (`reason`, `refused_wh`); read again at once

MAX_W = const(24_960)  # 3 x 32 A x 260 V
_REREADS = const(2)
_BACKOFF_MS = const(10_000)


class Meter:
    """One meter on one UART (any, readinto, write).

    max_w: what the installation can draw, with margin. period_ms: between polls. serial: the
    only meter to be believed, "" = any. models: further identification codes that fit the map.
    """

    def __init__(
        self,
        uart,
        meter_map,
        address=1,
        baud=0,
        parity="",
        max_w=MAX_W,
        period_ms=1000,
        timeout_ms=600,
        attempts=3,
        serial="",
        models=(),
    ):
        self.map = meter_map
        self.address = address
        self.baud = baud or meter_map.baud
        self.parity = parity or meter_map.parity
        self.serial = serial
        self.period_ms = period_ms
        self.reading = Reading()
        self.identity = Identity(meter_map.vendor)
        self.reason = reasons.NONE  # of the last REFUSED, SILENT or SUSPECT
        self.blocked = reasons.NONE  # why nothing is believed now
        self.silent = False
        self.refused_wh = 0
        self.due = 0
        self.polls = 0
        self.suspects = 0
        self.failures = 0  # requests in a row without a good answer
        self.overruns = 0  # polls that took longer than the period
        self.master = modbus.Master(self.baud, timeout_ms, attempts, meter_map.pause_ms)
        self._uart = uart
        self._models = meter_map.models + tuple(models) if meter_map.models else ()
        self._register = plausible.Register(max_w, meter_map.step_wh)
        self._follower = plausible.Follower(meter_map.step_wh)
        self._values = [0] * FIELDS
        self._power_is_sum = POWER not in [field[0] for field in meter_map.fields]
        self._chunk = bytearray(64)
        self._bound_id = 0
        self._told_id = 0
        self._identify = True
        self._untold = False
        self._restart = False
        self._resting = True
        self._wanted = False
        self._next_at = 0
        self._step = 0
        self._strikes = 0
        self._sampled_at = 0
        self._report = reasons.NONE

    def resume(self, register_wh: int, meter_id: int, elapsed_ms: int = -1) -> None:
        """What the ledger knows from before the reboot; elapsed_ms -1 = unknown."""
        self._bound_id = meter_id
        self._register.resume(register_wh, elapsed_ms)

    def accept(self) -> None:
        """The operator accepts the meter and the register that are there now."""
        self._bound_id = 0
        self._register.forget()
        self._follower.forget()
        self._restart = True
        self.blocked = reasons.NONE
        self.want()

    def want(self) -> None:
        """Asks for a reading as soon as possible; it is taken after this call."""
        self._wanted = True
        self.due = 0

    @property
    def last_wh(self) -> int:
        """The last register that was possible; -1 = none."""
        return self._register.last_wh

    @property
    def idle(self) -> bool:
        """True between polls: nothing is under way on the bus."""
        return self._resting

    def explain(self) -> str:
        """`reason` as one line: what, where, what to do. Allocates."""
        from .meter_texts import explain

        return explain(self)

    def service(self, now: int) -> int:
        """Does what can be done without waiting; `due` is when to call again (ms)."""
        if self._report:
            self.reason = self._report
            self._report = reasons.NONE
            return REFUSED
        if self._resting:
            if now < self._next_at and not self._wanted:
                self.due = self._next_at
                return NOTHING
            self._begin(now)
        self._pump(now)
        code = self.master.service(now)
        if code == modbus.SEND:
            code = self._send(now)
        if code == modbus.ANSWER:
            return self._answered(now)
        if code == modbus.FAILED:
            return self._failed(now)
        self.due = self.master.due
        return NOTHING

    def _begin(self, now: int) -> None:
        self._wanted = False
        self._resting = False
        self._strikes = min(self._strikes, _REREADS)
        if self._restart:
            self._restart = False
            self._identify = True
            self._strikes = 0
        if self._identify:
            self._untold = False
            self.identity.clear()
        self._ask(0, now)

    def _ask(self, step: int, now: int) -> None:
        self._step = step
        if self._identify:
            request = self.map.identity[step]
            self.master.ask(self.address, request[2], request[3], request[4], now)
        else:
            block = self.map.blocks[step]
            self.master.ask(self.address, block[0], block[1], block[2], now)
        self.due = self.master.due

    def _pump(self, now: int) -> None:
        try:
            for _ in range(8):
                if not self._uart.any():
                    return
                n = self._uart.readinto(self._chunk)
                if not n:
                    return
                self.master.feed(self._chunk, n, now)
        except OSError:
            pass

    def _send(self, now: int) -> int:
        try:
            n = self._uart.write(self.master.request)
        except OSError:
            n = 0
        if n != 8:
            return self.master.not_sent(now)
        self.master.sent(now)
        return modbus.WAIT

    def _rest(self, now: int, delay_ms: int) -> None:
        """Until the next poll: of the fixed period if delay_ms is 0."""
        self._resting = True
        self._next_at = now + delay_ms if delay_ms else self._next_at + self.period_ms
        if self._next_at < now:
            self._next_at = now
            self.overruns += 1
        self.due = now if self._wanted else self._next_at

    def _failed(self, now: int) -> int:
        """All attempts are used up, or the meter answers that it will not answer."""
        reason = self.master.reason
        if self._identify and reason == reasons.EXCEPTION and self.master.exception < 4:
            self._untold = True  # it does not offer this register
            return self._identified(now)
        self.failures += 1
        self._identify = True
        self._rest(now, min(self.period_ms << min(self.failures - 1, 4), _BACKOFF_MS))
        if reason not in (reasons.SILENT, reasons.BUS_ERROR):
            return self._refuse(reason)
        if self.silent:
            return NOTHING
        self.silent = True
        self.reason = reason
        return SILENT

    def _refuse(self, reason: int) -> int:
        if self.blocked == reason:
            return NOTHING
        self.blocked = reason
        self.reason = reason
        return REFUSED

    def _answered(self, now: int) -> int:
        self.failures = 0
        self.silent = False
        if self._identify:
            self.identity.take(self.map.identity[self._step], self.master.buf, self.master.at)
            return self._identified(now)
        self._decode()
        if self._step + 1 < len(self.map.blocks):
            self._ask(self._step + 1, now)
            return NOTHING
        return self._judge(now)

    def _identified(self, now: int) -> int:
        if self._step + 1 < len(self.map.identity):
            self._ask(self._step + 1, now)
            return NOTHING
        identity = self.identity
        fits = identity.close(self.map.model, self._models)
        if not fits or self.serial and self.serial != identity.serial:
            self._rest(now, _BACKOFF_MS)
            return self._refuse(reasons.WRONG_METER)
        if self._bound_id and self._bound_id != identity.meter_id:
            self._rest(now, _BACKOFF_MS)
            if self._untold:
                return self._refuse(reasons.EXCEPTION)
            if self._refuse(reasons.METER_EXCHANGED) == REFUSED:
                self._report = reasons.METER_EXCHANGED
            if self._told_id == identity.meter_id:
                return NOTHING
        else:
            self._bound_id = identity.meter_id
            self._identify = False
            self._resting = True
            self._next_at = now
        self._told_id = identity.meter_id
        self.due = now
        return IDENTITY

    def _decode(self) -> None:
        at = self.master.at - 2 * self.map.blocks[self._step][1]
        for field, block, address, form in self.map.fields:
            if block == self._step:
                self._values[field] = value(self.master.buf, at + 2 * address, form)
                if field == REGISTER:
                    self._sampled_at = self.master.answered_at

    def _judge(self, now: int) -> int:
        self.polls += 1
        values = self._values
        if self._power_is_sum:
            values[POWER] = plausible.sum_of_phases(values)
        reason = plausible.check(values, self._register.max_w, self.reading.export_wh)
        if not reason:
            reason = self._register.judge(values[REGISTER], self._sampled_at)
        if not reason:
            reason = self._follower.judge(values, self._sampled_at)
        if reason:
            return self._doubt(reason, now)
        self._strikes = 0
        self.blocked = reasons.NONE
        self.reading.fill(values, self._sampled_at)
        self._rest(now, 0)
        return READING

    def _doubt(self, reason: int, now: int) -> int:
        self.refused_wh = self._values[REGISTER]
        self._strikes += 1
        if self._strikes > _REREADS:
            self._rest(now, 0)
            return self._refuse(reason)
        self._wanted = False
        self._ask(0, now)
        if reason == reasons.UNCONFIRMED:
            return NOTHING
        self.suspects += 1
        self.reason = reason
        return SUSPECT
