"""How fast a backlog drains over a slow network, beside two MQTT clients from PyPI."""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from host.figures import drain_world
from host.figures.delay_line import DelayLine
from host.figures.figure import REPEATS, Figure, median_of, on_box
from host.figures.imports import peer_packages

RTT_MS = 100
WINDOW = 64
CAP_BYTES = 5700  # that lwIP keeps for a connection until they are acknowledged
MINUTES = 20_160  # 14 days
HEAP_BYTES = 16_384
CLOSES = 200
_LONE = {"payload_limit": 32}  # one record a message
_PEER_HEAP = "1000wK"


def drain() -> list[Figure]:
    """Each run with a broker of its own. RuntimeError if a record is lost or comes twice."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        return [
            *_one_record_a_message(directory),
            *_backlog(directory),
            _shared_key(directory),
            _resent(directory),
        ]


def _one_record_a_message(directory: Path) -> Iterator[Figure]:
    image = _image(directory, 6000, short=True)
    runs = [_drained(directory, image, RTT_MS, _LONE) for _ in range(REPEATS)]
    value, raw = median_of([_rate(run) for run in runs])
    yield Figure(f"one record a message, RTT {RTT_MS} ms, window {WINDOW}", value, "messages/s",
                 f"{raw}; bound {WINDOW * 1000 // RTT_MS}; from flash, the watermark written each"
                 f" second; modelled flash time {_flash_s(runs):.2f} s of"
                 f" {_seconds(runs, 'drain_us'):.2f} s", least=600)  # fmt: skip
    yield from _peers(directory, value)
    image = _image(directory, 20_000, short=True)
    window = HEAP_BYTES // 8
    config = {**_LONE, "window_messages": window, "window_bytes": 250_000}
    runs = [_drained(directory, image, RTT_MS, config) for _ in range(REPEATS)]
    value, raw = median_of([_rate(run) for run in runs])
    yield Figure(f"the same with {HEAP_BYTES:,} B of heap for what is in flight", value,
                 "messages/s", f"{raw}; {window} positions of 8 B; modelled flash time"
                 f" {_flash_s(runs):.2f} s of {_seconds(runs, 'drain_us'):.2f} s",
                 least=2000)  # fmt: skip


def _peers(directory: Path, value: float) -> Iterator[Figure]:
    for script, name, messages, window, note in (
        ("peer_chumicro.py", "chumicro-mqtt", 2000, 64, "clean_session=False"),
        ("peer_chumicro.py", "chumicro-mqtt", 1500, 32, "clean_session=False"),
        ("peer_aiomqttc.py", "aiomqttc", 1000, 64, "clean_session=False, 64 tasks"),
        ("peer_aiomqttc.py", "aiomqttc", 25, 1, "clean_session=False, as documented"),
    ):
        if peer_packages(name.replace("-", "_")) is None:
            continue
        told = []
        for run in range(REPEATS):
            with _broker(directory / f"{script}{window}-{run}") as (port, _):
                with DelayLine(port, RTT_MS // 2) as line:
                    told.append(_peer(script, line.port, messages, window))
        median, raw = median_of([_rate(one) for one in told])
        heap = told[0].get("in_flight_bytes")
        note += f"; {heap:,} B of heap for them" if heap else ""
        yield Figure(f"peer: {name}, {window} in flight", median, "messages/s",
                     f"{raw}; from RAM, {note}; ours {value / median:.2f} times")  # fmt: skip


def _peer(script: str, *arguments: int) -> dict[str, Any]:
    packages = peer_packages("aiomqttc" if "aiomqttc" in script else "chumicro_mqtt")
    return on_box(script, str(packages), *map(str, arguments), heap=_PEER_HEAP)


def _backlog(directory: Path) -> Iterator[Figure]:
    image = _image(directory, MINUTES, short=False)
    runs = [_drained(directory, image, RTT_MS, {}, CAP_BYTES) for _ in range(REPEATS)]
    value, raw = median_of([run["delivered_us"] / 1e6 for run in runs])
    messages = statistics.median(run["messages"] for run in runs)
    up = statistics.median(run["bytes_up"] for run in runs)
    most = max(run["most_under_way"] for run in runs)
    yield Figure(f"{MINUTES:,} minute records, packed, RTT {RTT_MS} ms", value, "s",
                 f"{raw}; from the first SYN to the operator's statement about the last;"
                 f" {messages:.0f} messages, {up / MINUTES:.1f} B a record on the wire,"
                 f" {most:,} B under way at most; bound {MINUTES * 8 / CAP_BYTES / 10:.1f} s at"
                 f" 8 B a record; modelled flash time {_flash_s(runs):.2f} s",
                 most=6)  # fmt: skip
    plain = _drained(directory, image, RTT_MS, {"packed": False}, CAP_BYTES)
    yield Figure("the same, whole records", plain["delivered_us"] / 1e6, "s", "one run")


def _shared_key(directory: Path) -> Figure:
    image = _image(directory, 20_000, short=True)
    tls = {"tls": True, "psk_identity": drain_world.SERIAL, "psk_key": drain_world.PSK}
    runs = [_drained(directory, image, 0, {**_LONE, **tls}) for _ in range(REPEATS)]
    value, raw = median_of([_rate(run) for run in runs])
    plain = _drained(directory, image, 0, _LONE)
    return Figure("one record a message, loopback, TLS-PSK", value, "messages/s",
                  f"{raw}; without TLS {_rate(plain):,.0f}", least=8000)  # fmt: skip


def _resent(directory: Path) -> Figure:
    image = _image(directory, 40_000, short=True)
    run = _drained(directory, image, 0, _LONE, closes=CLOSES)
    waits_s = sorted(run["resent_s"])
    if len(waits_s) != CLOSES:
        raise RuntimeError(f"drain: {len(waits_s)} of {CLOSES} closed connections were resumed")
    note = (
        f"p50 {statistics.median(waits_s) * 1000:.1f} ms, most {waits_s[-1] * 1000:.1f} ms;"
        f" {len(waits_s)} times closed with messages in flight, DUP=1 and the same ids"
    )
    p99_s = waits_s[len(waits_s) * 99 // 100 - 1]
    return Figure("first resent publish after the broker closed, p99", p99_s, "s", note, most=0.5)


@contextmanager
def _broker(directory: Path) -> Iterator[tuple[int, int]]:
    broker, psk_port = drain_world.broker(directory)
    broker.start()
    try:
        yield broker.port, psk_port
    finally:
        broker.stop()


def _image(directory: Path, records: int, short: bool) -> Path:
    path = directory / f"image-{records}-{short}"
    if not path.exists():
        drain_world.write_ledger(path, records, short)
    return path


def _drained(
    directory: Path,
    image: Path,
    rtt_ms: int,
    config: dict[str, Any],
    cap_bytes: int = 0,
    closes: int = 0,
) -> dict[str, Any]:
    """What the box and the network tell of one drain. RuntimeError if the operator has not all."""
    with tempfile.TemporaryDirectory(dir=directory) as name:
        place = Path(name)
        shutil.copy(image, place / "flash")
        with _broker(place / "broker") as (port, psk_port):
            operator = drain_world.Operator(port)
            target = psk_port if config.get("tls") else port
            with DelayLine(target, rtt_ms // 2, cap_bytes, closes) as line:
                direct = not (rtt_ms or closes)
                whole = {
                    "serial": drain_world.SERIAL,
                    "host": "127.0.0.1",
                    "port": target if direct else line.port,
                    **config,
                }
                setup = {
                    "flash": str(place / "flash"),
                    "size": drain_world.LEDGER_SIZE,
                    "key": drain_world.KEY.hex(),
                    "config": whole,
                }
                (place / "setup").write_text(json.dumps(setup))
                told = on_box("drain.py", str(place / "setup"))
            operator.close()
    told.update(line.told)
    if operator.last != told["records"] or operator.holes:
        raise RuntimeError(f"drain: {operator.last} of {told['records']} records arrived in order")
    if operator.repeated and not closes:
        raise RuntimeError(f"drain: {operator.repeated} records came twice")
    return told


def _rate(told: dict[str, Any]) -> float:
    return float(told["messages"] / told["drain_us"] * 1e6)


def _seconds(runs: list[dict[str, Any]], name: str) -> float:
    return float(statistics.median(run[name] for run in runs) / 1e6)


def _flash_s(runs: list[dict[str, Any]]) -> float:
    return _seconds(runs, "flash_us")
