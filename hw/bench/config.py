"""`bench.toml`: which part of a bench is where. Errors name the field, what and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from host.bench import boards
from host.keys import SERIAL_PATTERN
from host.provisioning.order import field_error, read_toml
from host.provisioning.outcome import Stopped, unusable
from hw.bench.wiring import INPUTS, RELAYS
from hw.verbs import CAPABILITIES

Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Parity = Literal["N", "E", "O"]
Command = Annotated[list[Text], Field(min_length=1, max_length=32)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Box(_Table):
    """`installation_limit_a` is what the car draws at the most; `reader`: a reader is fitted."""

    serial: Annotated[str, StringConstraints(pattern=f"^{SERIAL_PATTERN.pattern}$")]
    board: Text = "wroom32"
    keys: Path | None = None
    installation_limit_a: int = Field(default=16, ge=6, le=32)

    @field_validator("board")
    @classmethod
    def _drawn(cls, board: str) -> str:
        if board not in boards.names():
            raise ValueError(f"{board[:40]} is none of {', '.join(boards.names())}")
        return board


class Relays(_Table):
    """A Modbus RTU board: coils switch (functions 5 and 1), inputs are read (function 2)."""

    port: Text
    address: int = Field(default=1, ge=1, le=247)
    baud: int = Field(default=9600, ge=1200, le=921_600)
    parity: Parity = "N"
    read_back: bool = True
    coils: dict[str, Annotated[int, Field(ge=0, le=255)]]
    inputs: dict[str, Annotated[int, Field(ge=0, le=255)]] = {}

    @field_validator("coils", "inputs")
    @classmethod
    def _known(cls, value: dict[str, int], info: pydantic.ValidationInfo) -> dict[str, int]:
        table = RELAYS if info.field_name == "coils" else INPUTS
        for name in value:
            if name not in table:
                raise ValueError(f"{name} is none of {', '.join(table)}")
        if len(set(value.values())) < len(value):
            raise ValueError("two names have the same number")
        return value


class Mains(_Table):
    """`at_rest`: what the bench leaves behind. `off_s`: the shortest time without power."""

    at_rest: Literal["off", "on"] = "off"
    off_s: float = Field(default=1.0, ge=0, le=60)


class Meter(_Table):
    """The RS-485 adapter on which the meter is played; `baud` 0: as that model leaves its maker."""

    port: Text
    model: Text
    address: int = Field(default=1, ge=1, le=247)
    serial: str = ""
    baud: int = Field(default=9600, ge=1200, le=115_200)
    parity: Literal["", "N", "E", "O"] = ""


class Tag(_Table):
    """`actuator` needs the relay `tag`; `prompt` asks the person at the terminal."""

    kind: Literal["actuator", "prompt"]
    uid: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{8}|[0-9a-f]{14}|[0-9a-f]{20})$")]
    wait_s: float = Field(default=60, gt=0, le=600)


class Network(_Table):
    """Programs that take the box's network away and give it back, where no relay does."""

    drop: Command
    restore: Command
    timeout_s: float = Field(default=20, gt=0, le=120)


class Broker(_Table):
    """`address` is where the box finds it; `lines` are added to mosquitto's configuration."""

    address: Text
    port: Port = 1883
    lines: list[Annotated[str, StringConstraints(pattern=r"^[^\r\n]{1,255}$")]] = []


class BenchConfig(_Table):
    """The whole file. `folder`: database, register and broker files between runs."""

    box: Box
    folder: Path = Path("bench")
    relays: Relays | None = None
    mains: Mains = Mains()
    meter: Meter | None = None
    tag: Tag | None = None
    network: Network | None = None
    broker: Broker | None = None

    @field_validator("tag")
    @classmethod
    def _actuated(cls, tag: Tag | None, info: pydantic.ValidationInfo) -> Tag | None:
        relays = info.data.get("relays")
        if tag and tag.kind == "actuator" and not (relays and "tag" in relays.coils):
            raise ValueError("kind is actuator, and relays.coils.tag is missing")
        return tag

    @field_validator("meter")
    @classmethod
    def _played(cls, meter: Meter | None) -> Meter | None:
        from hw.sim.meter_models import MODELS

        if meter and meter.model not in MODELS:
            raise ValueError(f"model {meter.model} is none of {', '.join(MODELS)}")
        return meter

    def make_folder(self) -> Path:
        """The folder, made if it is missing. Raises `Stopped`."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unusable(f"{self.folder} cannot be made", error.strerror or str(error),
                           "name another folder", "folder") from None
        return self.folder

    def lacking(self) -> dict[str, str]:
        """What this bench cannot do, by capability: what to write into the file."""
        return dict(self._lacking())

    def _lacking(self) -> Iterator[tuple[str, str]]:
        coils = self.relays.coils if self.relays else {}
        inputs = self.relays.inputs if self.relays else {}
        for name, relay in RELAYS.items():
            if relay.capability not in ("tag", "net") and name not in coils:
                yield relay.capability, f"relays.coils.{name} is missing"
        for name, relay in INPUTS.items():
            if name not in inputs:
                yield relay.capability, f"relays.inputs.{name} is missing"
        if self.meter is None:
            yield "meter", "[meter] is missing"
        if self.tag is None:
            yield "tag", "[tag] is missing"
        if self.network is None and "access_point" not in coils:
            yield "net", "relays.coils.access_point is missing, and [network] too"
        if self.broker is None:
            yield "broker", "[broker] is missing"
        if self.broker is None or self.box.keys is None:
            yield "operator", "[broker] or box.keys is missing"
        if self.box.keys is None:
            yield "key", "box.keys is missing"

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset(CAPABILITIES) - frozenset(self.lacking())


def _wrong(error: pydantic.ValidationError, name: str) -> Stopped:
    """The first wrong field; what this file's own checks say is said as it is."""
    first = error.errors(include_input=False, include_url=False)[0]
    if first["type"] != "value_error":
        return field_error(error, name)
    field = ".".join(str(part) for part in first["loc"])
    return unusable(field, str(first["ctx"]["error"]), f"correct it in {name}", field)


def read_bench(path: Path) -> BenchConfig:
    """The file with paths made absolute, relative to it. Raises `Stopped` naming the field."""
    try:
        config = BenchConfig.model_validate(read_toml(path))
    except pydantic.ValidationError as error:
        raise _wrong(error, str(path)) from None
    beside = path.resolve().parent
    keys = config.box.keys
    box = config.box.model_copy(update={"keys": beside / keys if keys else None})
    return config.model_copy(update={"box": box, "folder": beside / config.folder})
