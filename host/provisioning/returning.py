"""How a box leaves a customer and comes to the next one; what was done is seen when repeated."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from wallbox.store.record import MAC_SIZE

from host.keys import KeyStore, KeyStoreError
from host.provisioning import repl
from host.provisioning.console_line import ConsoleLine
from host.provisioning.export import Ring, pull_ring
from host.provisioning.files import write_whole
from host.provisioning.journal import Journal
from host.provisioning.options import logged_in
from host.provisioning.outcome import NoAnswer, refused, unreachable, unusable
from host.provisioning.texts import _

FINAL_S = 20.0
DELIVER_S = 30.0
START_S = 30.0
WIPE_TRIES = 3
DECOMMISSIONED = "decommissioned"


def decommission(port: str, keys: Path, folder: Path, wipe_keys: bool) -> dict[str, Any]:
    """What was done. Raises Stopped; nothing is wiped before the ledger is safe."""
    if not _who(port) and (before := _wiped_before(port)):
        return before
    line, serial = logged_in(port, keys)
    with line:
        if line.ask("identity").get("lifecycle") != DECOMMISSIONED:
            answer = line.order("decommission", {})
            if answer["status"] not in ("Accepted", "Scheduled"):
                raise refused(_("the box does not take {order}", order="decommission"),
                              str(answer.get("info")), _("put it right, then repeat the command"))
            _until(line, "identity", lambda told: told.get("lifecycle") == DECOMMISSIONED, FINAL_S)
        for _try in range(WIPE_TRIES):
            delivered = _delivered(line)
            arguments: dict[str, Any] = {"keys": wipe_keys}
            ledger = _("the operator has the whole ledger")
            if not delivered:
                path = folder / f"{serial}-ledger.bin"
                arguments |= _export(line, path, KeyStore(keys).load(serial), serial)
                ledger = _("ledger saved and verified in {file}", file=path)
            answer = line.order("wipe", arguments)
            if answer["status"] != "Rejected" or "sequence" not in answer:
                break  # else a record came after what was delivered or saved
        if answer["status"] not in ("Accepted", "Scheduled", "RebootRequired"):
            raise refused(_("the box was not wiped"), str(answer.get("info")),
                          _("repeat the command"))
    return {"serial": serial, "delivered": delivered, "ledger": ledger, "keys_wiped": wipe_keys}


def _wiped_before(port: str) -> dict[str, Any] | None:
    """Of a box that stands at its prompt, without a key beside its ledger; None of another."""
    try:
        survey = repl.look(port)
        customers = b'"wifi"' in survey.files.get(repl.CONFIG, b"")
        if survey.key or not survey.ledger_sectors or customers:
            return None
        repl.erase_nvs(port)  # in case the power went while the box did it
    finally:
        repl.reset(port)
    ledger = _("wiped before, its ledger is as it was")
    return {"serial": _plate(survey)[0], "delivered": None, "ledger": ledger, "keys_wiped": True}


def _plate(survey: repl.Survey) -> tuple[str, str]:
    """Serial and chip that the flash was made for, "" for what it does not tell."""
    try:
        told = json.loads(survey.files.get(repl.CONFIG) or b"{}")
        written = str(told.get("serial") or ""), str(told.get("chip") or "")
    except (ValueError, AttributeError):
        written = "", ""
    return survey.serial or written[0], survey.bound or written[1]


def reuse(port: str, keys: Path, folder: Path) -> dict[str, Any]:
    """Raises Stopped. The ledger is continued with the key it was begun with."""
    told = _who(port)
    serial = str(told.get("serial") or "")
    if told.get("lifecycle") not in (None, "", DECOMMISSIONED, "factory"):
        raise refused(_("this box is {lifecycle}", lifecycle=told.get("lifecycle")),
                      _("only a decommissioned box begins anew"),
                      _("take it out with `wallbox decommission` first"))
    if not told.get("key"):
        _give_back(port, keys, serial)
    line, serial = logged_in(port, keys)
    with line:
        if line.ask("identity").get("lifecycle") == DECOMMISSIONED:
            answer = line.order("lifecycle", {"after": "factory"})
            if answer["status"] not in ("Accepted", "Scheduled"):
                raise refused(_("the box does not take the lifecycle"), str(answer.get("info")),
                              _("repeat the command"))
        told = _until(line, "identity", lambda told: told.get("lifecycle") == "factory", FINAL_S)
    Journal(folder / "journal", str(told["chip"])).forget(
        "configuration", "self-test", "checklist", "service", "certificate"
    )
    return {"serial": serial, "chip": told["chip"]}


def _who(port: str) -> dict[str, Any]:
    """The identity; empty of a box at its Python prompt. Raises Stopped."""
    until = time.monotonic() + START_S
    with ConsoleLine(port) as line:
        while not (found := line.who(1.0)):
            if time.monotonic() > until:
                raise unreachable(_("the box at {port} does not start", port=port),
                                  _("it did not answer for {seconds} s", seconds=int(START_S)),
                                  _("press its reset button and repeat; see docs/recovery.md"))
    return found if isinstance(found, dict) else {}


def _give_back(port: str, keys: Path, serial: str) -> None:
    survey = repl.look(port)
    try:
        named, chip = _plate(survey)
        if chip not in ("", survey.chip):
            raise refused(_("this flash was made for another chip"),
                          _("it belongs to {other}, this is {chip}", other=chip, chip=survey.chip),
                          _("erase the whole chip with esptool and begin anew; a copied flash is "
                            "never taken"))
        serial = serial or named
        try:
            key = KeyStore(keys).load(serial)
        except KeyStoreError as error:
            raise unusable(_("the key of {serial} is not there", serial=serial or "?"), str(error),
                           _("name the operator's key store with --keys")) from None
        identity = {"serial": serial.encode(), "chip": bytes.fromhex(survey.chip)}
        repl.write(port, {**identity, "ledger_key": key}, {})
    finally:
        repl.reset(port)
    until = time.monotonic() + START_S
    while True:
        try:
            with ConsoleLine(port) as line:
                if line.ask("health", 1.0, tries=1).get("agent") == "runs":
                    return
        except NoAnswer:
            pass
        if time.monotonic() > until:
            raise unreachable(_("the agent does not run"), _("the box has its key back"),
                              _("press its reset button and repeat; see docs/recovery.md"))
        time.sleep(0.5)


def _delivered(line: ConsoleLine) -> bool:
    """Whether the operator has acknowledged everything; an online box gets some time for it."""
    until = time.monotonic() + DELIVER_S
    while True:
        told = line.ask("health")
        ledger = told.get("ledger") or {}
        if ledger and ledger.get("acknowledged") == ledger.get("sequence"):
            return True
        if not told.get("link") or time.monotonic() > until:
            return False
        time.sleep(0.5)


def _export(line: ConsoleLine, path: Path, key: bytes, serial: str) -> dict[str, Any]:
    """Number and mac of the newest record, once the saved ledger is proved whole."""
    ring = pull_ring(line, "ledger", lambda part: None)
    write_whole(path, ring.data)
    return prove(ring, key, serial)


def prove(ring: Ring, key: bytes, serial: str) -> dict[str, Any]:
    """Raises Stopped unless every record is whole and signed by the box."""
    from host.ledger.verify.ring_image import NoLedger, read_image
    from host.ledger.verify.verifier import verify

    what = _("the ledger does not verify")
    try:
        contents = read_image(ring.data, _quiet, base=0)
    except NoLedger as error:
        raise refused(what, str(error), _("repeat the command")) from None
    contents.box = serial
    newest = max(contents.stored, key=lambda one: one.sequence)
    report = verify(contents, key, _quiet)
    if not report.whole or report.chain != "proved":
        why = report.findings[0].text if report.findings else report.chain
        raise refused(what, why, _("look at it with `wallbox ledger verify`; the box stays as "
                                   "it is"))
    return {"sequence": newest.sequence, "mac": newest.data[-MAC_SIZE:].hex()}


def _quiet(what: str, at: int, size: int) -> None:
    pass


def _until(line: ConsoleLine, word: str, ready: Any, timeout_s: float) -> dict[str, Any]:
    until = time.monotonic() + timeout_s
    while True:
        told = line.ask(word)
        if ready(told):
            return told
        if time.monotonic() > until:
            raise refused(_("the box does not get there"),
                          _("it is {lifecycle}", lifecycle=told.get("lifecycle")),
                          _("repeat the command"))
        time.sleep(0.5)
