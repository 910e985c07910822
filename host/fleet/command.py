"""`wallbox fleet`."""

from __future__ import annotations

import json
import signal
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from host.broker_options import (
    KEYS,
    BrokerOption,
    CaFileOption,
    CertificateFileOption,
    KeyFileOption,
    KeysOption,
    PasswordFileOption,
    PortOption,
    TlsOption,
    UserOption,
    broker_settings,
)
from host.console import (
    EXIT_INTERRUPTED,
    EXIT_REFUSED,
    EXIT_UNREACHABLE,
    EXIT_UNUSABLE,
    ColorOption,
    error,
    fail,
    out,
)

if TYPE_CHECKING:
    from host.fleet.fleet import Fleet, Plan
    from host.fleet.wire import Entrance

_LOOK_S = 0.5
_SAY_S = 10.0


def register(app: typer.Typer) -> None:
    app.command("fleet")(fleet_command)


def fleet_command(
    boxes: Annotated[int, typer.Option(min=1, max=60_000, help="How many.")] = 100,
    duration: Annotated[float, typer.Option(min=1, help="Seconds that they live.")] = 60.0,
    speed: Annotated[
        float, typer.Option(min=0.1, max=100_000, help="Seconds of their lives in a second.")
    ] = 1.0,
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, help="Records a second of all together, in place of --speed."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same records.")] = 1,
    storm: Annotated[
        float,
        typer.Option("--reconnect-storm", min=0, help="Cut all connections every so many seconds."),
    ] = 0.0,
    connect_rate: Annotated[
        float, typer.Option(min=1, help="Connections a second at the beginning.")
    ] = 500.0,
    drain: Annotated[
        float, typer.Option(min=0, help="Seconds at the end for what is not acknowledged.")
    ] = 60.0,
    broker: BrokerOption = "localhost",
    port: PortOption = None,
    keys: KeysOption = KEYS,
    user: UserOption = None,
    password_file: PasswordFileOption = None,
    tls: TlsOption = False,
    ca_file: CaFileOption = None,
    certificate_file: CertificateFileOption = None,
    key_file: KeyFileOption = None,
    psk: Annotated[
        bool, typer.Option("--psk", help="With --tls: each box by serial and its own key.")
    ] = False,
    psk_file: Annotated[
        Path | None,
        typer.Option(help="Write the boxes' serials and keys there for mosquitto, and end."),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="Serials are PREFIX-000001 …; the fleet's key is PREFIX.key.")
    ] = "FLEET",
    no_operator: Annotated[
        bool, typer.Option("--no-operator", help="Nobody collects: PUBACKs are enough.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
    no_color: ColorOption = False,
) -> None:
    """Run many simulated boxes at a broker, in one process, as a load on the operator's side.

    Each speaks with the firmware's own link and has a ledger whose records a collector
    verifies: its key is derived from the fleet's and put into the key store (--keys),
    which the collector must use. Take a broker and a database for tests.

    Exit code 0: all that was written has arrived. 2: wrong options. 3: no box could enter
    the broker. 4: key store, file or limit of this machine is unusable. 5: something had
    not arrived when the time was over. 130: stopped before all had arrived.
    """
    from host.fleet.fleet import Plan, TooFewDescriptors, allow_descriptors
    from host.fleet.life import DAY_S, RECORDS_A_DAY
    from host.keys import KeyStoreError, valid_serial

    if not valid_serial(prefix) or len(prefix) > 20:
        raise typer.BadParameter(f"--prefix {prefix}: 1 to 20 letters, digits, - and _")
    if psk and not tls:
        raise typer.BadParameter("--psk needs --tls")
    if rate is not None:
        speed = rate * DAY_S / (boxes * RECORDS_A_DAY)
    settings = broker_settings(
        broker, port, user, password_file, tls, ca_file, certificate_file, key_file, ""
    )
    try:
        fleet_key = _keys(keys, prefix, boxes)
        plan = Plan(
            boxes, fleet_key, seed, speed, duration, drain, storm, connect_rate, prefix, psk,
            not no_operator,
        )
        if psk_file:
            _write_psk(psk_file, plan)
            return
        allow_descriptors(boxes)
    except (KeyStoreError, TooFewDescriptors) as wrong:
        fail(str(wrong), EXIT_UNUSABLE)
    entrance = _entrance(settings, psk)
    _run(plan, entrance, settings, as_json)


def _entrance(settings: Any, psk: bool) -> Entrance:
    from host.fleet.wire import Entrance, PskUnknown

    try:
        return Entrance.find(settings, psk)
    except PskUnknown as wrong:
        raise typer.BadParameter(str(wrong)) from None
    except (FileNotFoundError, PermissionError, ssl.SSLError) as wrong:
        fail(settings.tls_files_wrong(wrong), EXIT_UNUSABLE)
    except OSError as wrong:
        fail(settings.absent(wrong), EXIT_UNREACHABLE)


def _run(plan: Plan, entrance: Entrance, settings: Any, as_json: bool) -> None:
    from host.fleet.fleet import Fleet

    with error.status("making the boxes"):
        fleet = Fleet(plan, entrance, settings.user, settings.password)
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, _: stopped.append(which))
    with _View(fleet) as view:
        delivered = fleet.run(lambda: view.look() and not stopped)
    told = {**fleet.told(), "delivered_all": delivered, "seed": plan.seed, "speed": plan.speed}
    if as_json:
        print(json.dumps(told))
    else:
        out.print(_table(told))
    if stopped and not delivered:
        fail(f"stopped; {told['backlog']} records were not acknowledged yet", EXIT_INTERRUPTED)
    if not fleet.tally.connected:
        reason = "refuses" if fleet.tally.refused else "cannot be entered"
        fail(
            f"the broker at {settings.name} {reason}: {fleet.trouble}; "
            "check --broker, --port, --tls, --user", EXIT_UNREACHABLE,
        )
    if not delivered:
        error.print(_reason(told), style="yellow", highlight=False, soft_wrap=True)
        raise typer.Exit(EXIT_REFUSED)


def _reason(told: dict[str, Any]) -> str:
    if told["up_at_end"] < told["boxes"]:
        return (
            f"only {told['up_at_end']} of {told['boxes']} boxes were connected in the end; look at "
            "the broker's log, its max_connections and its limit of open files (ulimit -n)"
        )
    return (
        f"{told['backlog']} records were not acknowledged; does a collector run at this broker, "
        "with these keys, and a database that has not seen this fleet before? Else make a new "
        "database, or another fleet with --prefix"
    )


class _View:
    """The live table where a terminal is, a line now and then where none is."""

    def __init__(self, fleet: Fleet) -> None:
        from rich.live import Live

        self.fleet = fleet
        self.live = Live(console=error, auto_refresh=False) if error.is_terminal else None
        self.next_s, self.before, self.before_s = 0.0, 0, 0.0
        self.rate = 0.0

    def __enter__(self) -> _View:
        if self.live:
            self.live.start()
        self.began = time.monotonic()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self.live:
            self.live.stop()

    def look(self) -> bool:
        now_s = time.monotonic() - self.began
        if now_s < self.next_s:
            return True
        told = self.fleet.told()
        if now_s > self.before_s:
            self.rate = (told["messages"] - self.before) / (now_s - self.before_s)
        self.before, self.before_s = told["messages"], now_s
        told["messages_per_s"] = round(self.rate, 1)
        if self.live:
            self.live.update(_table(told), refresh=True)
        else:
            error.print(
                f"{now_s:.0f} s: {told['up']} of {told['boxes']} connected, {self.rate:.0f} "
                f"messages/s, {told['acknowledged']} of {told['records']} records acknowledged",
                highlight=False, soft_wrap=True,
            )
        self.next_s = now_s + (_LOOK_S if self.live else _SAY_S)
        return True


def _table(told: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(title=f"{told['boxes']} boxes, {told['elapsed_s']:.0f} s", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = [
        ("connected now", told["up"]), ("accepted by the broker", told["connections"]),
        ("connections lost", told["lost"]), ("storms", told["storms"]),
        ("records written", told["records"]), ("acknowledged", told["acknowledged"]),
        ("not acknowledged yet", told["backlog"]), ("messages", told["messages"]),
    ]
    if "messages_per_s" in told:
        rows.append(("messages a second", told["messages_per_s"]))
    for name, words in (
        ("puback", "PUBACK"), ("delivered", "operator's statement"), ("entered", "entering"),
    ):
        for percent in ("p50", "p95", "p99"):
            value = told[name][f"{percent}_ms"]
            rows.append((f"{words}, {percent}", "-" if value is None else f"{value:.1f} ms"))
    for name, value in rows:
        table.add_row(name, str(value))
    return table


def _keys(directory: Path, prefix: str, boxes: int) -> bytes:
    """The fleet's key, made if there is none; each box's own is put beside it."""
    from rich.progress import track

    from host.fleet.box import box_key
    from host.keys import KeyStore, KeyStoreError, UnknownBox

    try:
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as wrong:
        raise KeyStoreError(
            f"{directory}: cannot be made: {wrong.strerror}; name another with --keys"
        ) from None
    store = KeyStore(directory)
    try:
        fleet_key = store.load(prefix)
    except UnknownBox:
        fleet_key = store.create(prefix)
    known = set(store.serials())
    serials = [f"{prefix}-{index + 1:06d}" for index in range(boxes)]
    missing = [serial for serial in serials if serial not in known]
    for serial in track(missing, "keys", console=error, disable=not error.is_terminal):
        store.create(serial, box_key(fleet_key, serial))
    if serials[0] not in missing and store.load(serials[0]) != box_key(fleet_key, serials[0]):
        raise KeyStoreError(
            f"{store.path(serials[0])}: not derived from {store.path(prefix)}; change --prefix"
        )
    return fleet_key


def _write_psk(path: Path, plan: Plan) -> None:
    from host.fleet.box import box_key
    from host.provisioning.files import write_whole

    serials = [plan.serial(index) for index in range(plan.boxes)]
    lines = [f"{serial}:{box_key(plan.fleet_key, serial).hex()}\n" for serial in serials]
    try:
        write_whole(path, "".join(lines).encode(), 0o600)
    except OSError as wrong:
        fail(f"{path}: cannot be written: {wrong.strerror}; name another file", EXIT_UNUSABLE)
    out.print(f"{path}: {plan.boxes} keys for psk_file", highlight=False, soft_wrap=True)
