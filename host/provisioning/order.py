"""The order: what is to be installed where. One TOML file a box, each field checked by itself.

Ranges here are what can be true at all; whether an installation is allowed is judged in
`limits.py`, so that a wrong answer can be recorded and refused with its reason.
"""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from host.provisioning.outcome import Stopped, unusable
from host.provisioning.texts import N_, _

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE_BYTES_MAX = 65_536


_NOT_PLAIN = N_("it must be a text without line ends and control characters")
# pydantic's kind of error, and what is right
_RIGHT = {
    "string_type": N_("it must be a text in quotes"),
    "string_too_short": N_("it must have at least {min_length} characters"),
    "string_too_long": N_("it must have at most {max_length} characters"),
    "string_pattern_mismatch": N_("it must have the form {pattern}"),
    "bool_type": N_("it must be true or false"),
    "bool_parsing": N_("it must be true or false"),
    "int_type": N_("it must be a whole number"),
    "int_parsing": N_("it must be a whole number"),
    "int_from_float": N_("it must be a whole number"),
    "float_type": N_("it must be a number"),
    "float_parsing": N_("it must be a number"),
    "finite_number": N_("it must be a number"),
    "greater_than": N_("it must be more than {gt}"),
    "greater_than_equal": N_("it must be at least {ge}"),
    "less_than_equal": N_("it must be at most {le}"),
    "literal_error": N_("it must be one of {expected}"),
    "list_type": N_("it must be a list in [ ]"),
    "too_short": N_("it must have at least {min_length} entries"),
    "too_long": N_("it must have at most {max_length} entries"),
    "model_type": N_("it must be a table"),
    "model_attributes_type": N_("it must be a table"),
    "path_type": N_("it must be the path of a file"),
    "value_error": _NOT_PLAIN,  # of `_plain`, the only one of ours
}


def _plain(text: str) -> str:
    """Text without line ends and other control characters, which have no place in any field."""
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text):
        raise ValueError(_NOT_PLAIN)
    return text


Text = Annotated[str, StringConstraints(min_length=1, max_length=120), AfterValidator(_plain)]
Serial = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,23}$")]
Ssid = Annotated[str, AfterValidator(_plain), StringConstraints(min_length=1, max_length=32)]
Secret = Annotated[str, AfterValidator(_plain), StringConstraints(max_length=64)]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_-]{1,64}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Installation(_Table):
    """The checklist's answers (I2, I3)."""

    address: Text
    own_circuit: StrictBool
    cable_mm2: float = Field(ge=0.5, le=50)
    cable_length_m: float = Field(gt=0, le=500)
    protection: Literal["RCBO", "RCD and fuse"]
    breaker_a: int = Field(ge=6, le=63)
    phase_rotation: Literal["RST", "RTS", "SRT", "STR", "TRS", "TSR"] = "RST"
    earth_electrode: StrictBool
    lower_edge_cm: int = Field(ge=0, le=400)
    upper_edge_cm: int = Field(ge=0, le=400)
    clearance_cm: int = Field(ge=0, le=400)
    vertical: StrictBool
    facade_insulation: StrictBool


class Wifi(_Table):
    ssid: Ssid
    password: Secret = Field(default="", repr=False)


class Meter(_Table):
    """`serial` is what stands on the meter; `display_wh` what its display shows."""

    model: Literal["sdm630", "sdm72d-m-v2", "em330", "em340", "pro380", "b23"]
    address: int = Field(default=1, ge=1, le=247)
    serial: Text | None = None
    display_wh: int | None = Field(default=None, ge=0, le=999_999_999_999)


class Seals(_Table):
    """The seals' own numbers; `fitted` False: the board has no loops."""

    fitted: StrictBool = True
    numbers: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,16}$")]] = Field(
        min_length=1, max_length=4
    )
    policy: Literal["report", "pause", "stop"] = "stop"


class Reader(_Table):
    fitted: StrictBool = False
    mode: Literal["free", "required"] = "free"


class Order(_Table):
    """All of it. `type` is the type designation on the box's plate (S2)."""

    serial: Serial
    type: Annotated[str, StringConstraints(min_length=1, max_length=24), AfterValidator(_plain)]
    order: Text
    installer: Text
    installation: Installation | None = None
    wifi: Wifi | None = None
    meter: Meter | None = None
    seals: Seals | None = None
    reader: Reader = Reader()


def read_order(path: Path) -> Order:
    """The order in a TOML file. Raises Stopped; its `field` names what is wrong."""
    return check_order(read_toml(path), str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises Stopped."""
    what = _("{file} cannot be read", file=path)
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            why = _("it is longer than {bytes} bytes", bytes=FILE_BYTES_MAX)
            raise unusable(what, why, _("name another file"))
        return tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise unusable(what, error.strerror or str(error), _("name another file")) from None
    except ValueError as error:  # TOML and UTF-8
        raise unusable(what, str(error), _("correct the file")) from None


def check_order(tables: dict[str, Any], name: str) -> Order:
    """Raises Stopped for the first wrong field."""
    try:
        return Order.model_validate(tables)
    except pydantic.ValidationError as error:
        raise field_error(error, name) from None


def _right(kind: str, told: dict[str, Any]) -> str:
    """What is right, in the chosen language."""
    message = _RIGHT.get(kind, N_("it is not valid ({kind})"))
    values = {name: str(value).replace(" or ", ", ") for name, value in told.items()}
    return _(message, **{"kind": kind, **values})


def field_error(error: pydantic.ValidationError, name: str) -> Stopped:
    """The first wrong field of a file as one line; its value is never shown, it may be secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or _("the file")
    if first["type"] == "extra_forbidden":
        why = _("there is no such field")
        action = _("remove it or look at its spelling")
    elif first["type"] == "missing":
        why = _("it is missing")
        action = _("write it into {file}", file=name)
    else:
        why = _right(first["type"], first.get("ctx", {}))
        action = _("correct it in {file}", file=name)
    return unusable(field, why, action, field)
