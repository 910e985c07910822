# What happens at one site, and when: drawn from a seed alone, before anything runs.
#
# An entry is [ms, kind, verb, arguments...]; the verbs are in happenings.py. Each kind draws from
# numbers of its own, so that without one of them the others stay as they are.

from host.years.on_box.chance import Chance

S, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
YEAR = 31_557_600_000  # 365.25 days

# kind: how many a year at any time, how many in each time of trouble
KINDS = (
    ("cars", 0, 2),
    ("cut", 24, 3),
    ("flash cut", 10, 8),
    ("file cut", 3, 1),
    ("reset", 4, 1),
    ("wifi", 20, 2),
    ("path", 10, 2),
    ("broker", 8, 1),
    ("amnesia", 6, 2),
    ("acknowledgements", 8, 3),
    ("messages", 6, 2),
    ("collector", 6, 1),
    ("refused", 2, 0),
    ("meter", 16, 4),
    ("exchange", 1, 0),
    ("time server", 6, 1),
    ("drift", 4, 0),
    ("seal", 3, 1),
    ("orders", 50, 6),
    ("configure", 6, 2),
    ("hostile", 20, 6),
    ("sector", 3, 1),
    ("rot", 6, 0),
    ("contactor", 2, 1),
    ("moved", 1, 0),
    ("sensor", 8, 2),
    ("strangers", 20, 2),
    ("close look", 12, 1),
)
WINDOWS = 12  # times of trouble a year
WINDOW_MS = 3 * HOUR
METERS = ("em340", "b23", "sdm630")


def kinds():
    return [row[0] for row in KINDS]


def make(seed, number, span_ms, without=()):
    """(settings, entries) of box `number` of a run."""
    own = (seed * 1_000_003 + number * 7919 + 1) & 0x7FFFFFFF
    settings = _settings(own, number)
    chance = Chance(own, "windows")
    count = max(1, WINDOWS * span_ms // YEAR)
    windows = [chance.below(max(1, span_ms - WINDOW_MS)) for _ in range(count)]
    entries = []
    if "cars" not in without:
        _daily_life(Chance(own, "life"), settings, span_ms, entries)
    if number % 8 == 3 and "wifi" not in without:
        _exile(Chance(own, "exile"), span_ms, entries)
    for kind, a_year, a_window in KINDS:
        if kind in without:
            continue
        chance = Chance(own, kind)
        times = [chance.below(span_ms) for _ in range(_share(chance, a_year, span_ms))]
        for begin in windows:
            for _ in range(a_window):
                times.append(begin + chance.below(WINDOW_MS))
        draw = DRAWS[kind]
        for at in times:
            draw(chance, at, kind, entries, settings)
    entries.sort(key=lambda entry: (entry[0], str(entry[1:])))
    return settings, entries


def _share(chance, a_year, span_ms):
    """So many in this span; what is left over by chance."""
    whole = a_year * span_ms // YEAR
    rest = a_year * span_ms % YEAR
    return whole + (1 if chance.below(1000) < rest * 1000 // YEAR else 0)


def _settings(own, number):
    chance = Chance(own, "settings")
    meter = METERS[number % 3]
    reader = number % 2
    small = chance.one_in(4)
    full_wh = 100_000_000 if chance.one_in(3) else 1_000_000_000
    near_end = chance.one_in(3)
    register_wh = (
        full_wh - chance.between(20_000, 900_000) if near_end else chance.below(90_000_000)
    )
    config = (
        '{"serial":"WB%06d","installation_limit_a":%d,"interval_s":%d,"cable_limit_a":%d,'
        '"meter":{"model":"%s"},"wifi":{"ssid":"home"},'
        '"broker":{"host":"broker","tls":"none-in-tests"},"clock":{"host":"time"},'
        '"seals":{"policy":"%s"},"reader":{"fitted":%s,"mode":"%s"},'
        '"presence":{"offline_grace_h":%d},"place":{"relocate_after_h":%d}}'
    ) % (
        number, chance.pick((16, 32, 16, 20)), chance.pick((900, 3600, 3600, 1800)),
        chance.pick((0, 0, 16, 20)), meter, chance.pick(("stop", "pause", "report", "stop")),
        "true" if reader else "false", chance.pick(("required", "free")) if reader else "free",
        chance.pick((72, 0, 72, 24)), chance.pick((24, 0, 24, 4)),
    )  # fmt: skip
    return {
        "seed": own,
        "serial": "WB%06d" % number,
        "meter": meter,
        "meter_serial": str(21_000_000 + chance.below(900_000)),
        "register_wh": register_wh,
        "full_wh": full_wh,
        "config": config,
        "ledger_size": 4096 * (chance.pick((5, 8, 16)) if small else 128),
        "trace_size": 4096 * (8 if small or chance.one_in(2) else 256),
        "drift_ppm": chance.between(-60, 60),
        "off_ms": chance.long_tailed(200, 600_000),
        "stride_ms": chance.pick((HOUR, 2 * HOUR, 4 * HOUR)),
    }


def _daily_life(chance, settings, span_ms, entries):
    """A household that lives by local time: in the evening the car comes home, most days."""
    for day in range(span_ms // DAY):
        if chance.one_in(3):
            continue
        # of Copenhagen: an hour before UTC in winter, two in summer (days 86 to 302)
        home = day * DAY + chance.between(15 * HOUR, 20 * HOUR)
        home -= 2 * HOUR if 86 <= day % 365 < 302 else HOUR
        entries.append(_car(chance, home, "cars", chance.between(2 * HOUR, 13 * HOUR)))


def _car(chance, at, kind, stay_ms):
    """What Happenings.plug takes."""
    taps = chance.pick((1, 1, 1, 2, 0))
    no_diode = chance.one_in(60)
    if no_diode:  # it is offered current, and refused, again and again
        stay_ms = min(stay_ms, HOUR // 4)
    return [
        at, kind, "plug", stay_ms, chance.pick((16_000, 32_000, 10_000, 6000)),
        chance.pick((3, 3, 3, 1)),
        chance.pick((8000, 14_000, 30_000, 3000)) if chance.below(16) else -1,
        not chance.one_in(10), chance.below(300) if chance.one_in(12) else -1,
        no_diode, chance.pick((0, 0, 1, 2, 3)), taps,
    ]  # fmt: skip


def _exile(chance, span_ms, entries):
    """Months without the operator."""
    length = chance.between(30 * DAY, 120 * DAY)
    at = chance.below(max(1, span_ms - length))
    verb = chance.pick(("wifi", "broker", "collector"))
    entries.append([at, "wifi", verb, min(length, span_ms)])


def _cars(chance, at, kind, entries, settings):
    entries.append(_car(chance, at, kind, chance.long_tailed(2 * S, 2 * HOUR)))


def _cut(chance, at, kind, entries, settings):
    most = 20 * DAY if chance.one_in(20) else HOUR
    entries.append([at, kind, "cut", chance.long_tailed(50, most)])


def _flash_cut(chance, at, kind, entries, settings):
    again = chance.below(12) if chance.one_in(3) else 0
    entries.append(
        [at, kind, "flash_cut", chance.between(1, 24), chance.below(8) - 1,
         chance.long_tailed(50, HOUR), again]
    )  # fmt: skip


def _file_cut(chance, at, kind, entries, settings):
    entries.append([at, kind, "file_cut", chance.between(1, 6)])
    _order(chance, at + 100, kind, entries, 0)


def _reset(chance, at, kind, entries, settings):
    entries.append([at, kind, "reset", chance.pick((3, 4, 5))])


def _outage(verb, most_ms, seldom_ms):
    def draw(chance, at, kind, entries, settings):
        most = seldom_ms if chance.one_in(8) else most_ms
        entries.append([at, kind, verb, chance.long_tailed(S, most)])

    return draw


def _acknowledgements(chance, at, kind, entries, settings):
    way = chance.pick(("lose_puback", "repeat_puback", "delay_puback", "lose_statement"))
    entries.append(
        [at, kind, "broker_fault", way, chance.between(1, 6), chance.long_tailed(MINUTE, 2 * DAY)]
    )


def _messages(chance, at, kind, entries, settings):
    way = chance.pick(("lose_message", "repeat_message", "swap_message"))
    entries.append(
        [at, kind, "broker_fault", way, chance.between(1, 6), chance.long_tailed(MINUTE, 2 * DAY)]
    )


def _refused(chance, at, kind, entries, settings):
    entries.append([at, kind, "refused", chance.below(2), chance.long_tailed(S, DAY)])


def _meter(chance, at, kind, entries, settings):
    most = DAY if chance.one_in(8) else HOUR
    entries.append(
        [at, kind, "meter_fault", chance.between(1, 11), chance.below(500_000),
         chance.long_tailed(2 * S, most)]
    )  # fmt: skip


def _exchange(chance, at, kind, entries, settings):
    entries.append(
        [at, kind, "exchange", str(22_000_000 + chance.below(900_000)), chance.below(50_000)]
    )


def _time_server(chance, at, kind, entries, settings):
    if chance.one_in(2):
        entries.append([at, kind, "time_down", chance.long_tailed(MINUTE, 20 * DAY)])
    else:
        error_ms = chance.long_tailed(500, 5 * HOUR)
        error_ms = -error_ms if chance.one_in(2) else error_ms
        entries.append([at, kind, "time_lies", error_ms, chance.long_tailed(HOUR, 2 * DAY)])


def _drift(chance, at, kind, entries, settings):
    entries.append([at, kind, "drift", chance.between(-300, 300)])


def _seal(chance, at, kind, entries, settings):
    entries.append([at, kind, "seal", chance.below(2), chance.long_tailed(10, HOUR)])


def _orders(chance, at, kind, entries, settings):
    _order(chance, at, kind, entries, chance.below(13))


def _order(chance, at, kind, entries, verb):
    entries.append([at, kind, "order", verb, chance.below(1 << 20), chance.below(1 << 20)])


def _configure(chance, at, kind, entries, settings):
    key, value = chance.pick((
        ("interval_s", "900"), ("interval_s", "3600"), ("interval_s", "1800"),
        ("seals.policy", '"stop"'), ("seals.policy", '"pause"'), ("seals.policy", '"report"'),
        ("presence.offline_grace_h", "72"), ("presence.offline_grace_h", "0"),
        ("place.relocate_after_h", "24"),
    ))  # fmt: skip
    entries.append([at, kind, "configure", key, value])


def _hostile(chance, at, kind, entries, settings):
    way = chance.below(10)
    for index in range(chance.pick((1, 1, 1, 12))):
        entries.append([at + index * 50, kind, "hostile", way])


def _sector(chance, at, kind, entries, settings):
    if chance.one_in(3):
        entries.append([at, kind, "flash_dies", chance.pick((1, 3)), chance.long_tailed(S, HOUR)])
    else:
        entries.append([at, kind, "bad_sector", chance.below(1000), chance.between(1, 4)])


def _rot(chance, at, kind, entries, settings):
    entries.append([at, kind, "rot", chance.below(1 << 20), chance.below(8)])


def _contactor(chance, at, kind, entries, settings):
    entries.append([at, kind, "contactor", chance.below(2), chance.long_tailed(MINUTE, DAY)])


def _moved(chance, at, kind, entries, settings):
    entries.append([at, kind, "moved", chance.between(2 * HOUR, 3 * DAY)])


def _sensor(chance, at, kind, entries, settings):
    limit_ma = chance.pick((0, 6000, 8000, 10_000, 0xFFFFFF))
    entries.append([at, kind, "sensor", chance.between(5, 6), limit_ma,
                    chance.long_tailed(S, HOUR)])  # fmt: skip


def _strangers(chance, at, kind, entries, settings):
    for index in range(chance.pick((1, 2, 9))):
        entries.append([at + index * 700, kind, "tap", chance.below(6)])


def _close_look(chance, at, kind, entries, settings):
    entries.append([at, kind, "close_look", 20 * S])


DRAWS = {
    "cars": _cars,
    "cut": _cut,
    "flash cut": _flash_cut,
    "file cut": _file_cut,
    "reset": _reset,
    "wifi": _outage("wifi", HOUR, 30 * DAY),
    "path": _outage("path", HOUR, 4 * DAY),
    "broker": _outage("broker", HOUR, 30 * DAY),
    "amnesia": lambda chance, at, kind, entries, settings: entries.append([at, kind, "amnesia"]),
    "acknowledgements": _acknowledgements,
    "messages": _messages,
    "collector": _outage("collector", DAY, 30 * DAY),
    "refused": _refused,
    "meter": _meter,
    "exchange": _exchange,
    "time server": _time_server,
    "drift": _drift,
    "seal": _seal,
    "orders": _orders,
    "configure": _configure,
    "hostile": _hostile,
    "sector": _sector,
    "rot": _rot,
    "contactor": _contactor,
    "moved": _moved,
    "sensor": _sensor,
    "strangers": _strangers,
    "close look": _close_look,
}
