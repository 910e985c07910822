"""Step 8: the certificate, from what the box and the journal tell; signed, and for people."""

from __future__ import annotations

import json
import time
from typing import Any

from host.provisioning import certificate, page
from host.provisioning.files import write_whole
from host.provisioning.job import Job
from host.provisioning.outcome import Stopped, refused
from host.provisioning.partner import read_file, read_secret
from host.provisioning.texts import LANGUAGES, N_, _

TITLE = N_("Certificate")


def run(job: Job) -> str:
    if job.lifecycle != "in service" or not job.locked:
        raise refused(_("no certificate"), _("the box is not in service"), _("repeat the command"))
    path = job.file(".certificate.json")
    authority = read_file(job.partner.authority, "authority")
    told = _content(job)
    if path.exists():
        try:
            held = certificate.read(path)
            certificate.verify(held, authority)
            if _same(held["certificate"], told):
                _for_people(job, held)
                return _("{file} is there already", file=path)
        except Stopped:
            pass  # torn or of another box's life: written anew
    signed = certificate.sign(
        told,
        read_file(job.partner.signer_certificate, "signer_certificate"),
        read_secret(job.partner.signer_key, "signer_key"),
    )
    certificate.verify(signed, authority)  # before the partner relies on it
    write_whole(path, json.dumps(signed, indent=1, ensure_ascii=False).encode() + b"\n", 0o644)
    _for_people(job, signed)
    job.journal.note("certificate", file=path.name)
    return _("{file} written", file=path)


def _for_people(job: Job, signed: dict[str, Any]) -> None:
    for language in LANGUAGES:
        text = page.render(signed, language)
        write_whole(job.file(f".certificate.{language}.html"), text.encode(), 0o644)
    if job.label:
        from host.provisioning.label import draw

        write_whole(job.file(".label.svg"), draw(signed), 0o644)


def _same(held: dict[str, Any], told: dict[str, Any]) -> bool:
    moving = ("signed_utc_s",)
    return {k: v for k, v in held.items() if k not in moving} == {
        k: v for k, v in json.loads(json.dumps(told)).items() if k not in moving
    }


def _line(line: dict[str, Any]) -> dict[str, Any]:
    """Of a line of the self-test; one that was skipped tells why."""
    told = {name: line[name] for name in ("name", "result", "measured")}
    return {**told, "note": line["do"]} if line["result"] == "skip" else told


def _content(job: Job) -> dict[str, Any]:
    journal, order = job.journal, job.order
    flash, service = journal.of("flash"), journal.of("service")
    test, checklist = journal.of("self-test"), journal.of("checklist")
    if not (service.get("began") and test.get("passed") and checklist.get("passed")):
        raise refused(_("no certificate"),
                      _("the journal of this laptop does not tell how the box was tested"),
                      _("finish on the laptop that began"))
    lines = [_line(line) for line in test["lines"]]
    assert order.meter is not None
    values = {line["name"]: line["values"] for line in test["lines"]}
    return {
        "format": certificate.FORMAT,
        "signed_utc_s": int(time.time()),
        "box": {
            "serial": order.serial,
            "type": order.type,
            "chip": job.chip,
            "firmware": job.identity.get("firmware"),
            "micropython": job.identity.get("python"),
            "image_sha256": flash.get("sha256", ""),
            "key_check": journal.of("identity").get("key_check", ""),
            "configuration": journal.of("configuration").get("digest", ""),
        },
        "order": order.order,
        "installer": order.installer,
        "installation": checklist["answers"],
        "checklist": checklist["lines"],
        "meter": {
            "model": order.meter.model,
            "address": order.meter.address,
            "serial": values.get("meter", {}).get("serial", ""),
        },
        "seals": {"numbers": service["seals"], "policy": service["policy"]},
        "first_register_wh": service["register_wh"],
        "first_register_utc_s": service["register_utc_s"],
        "self_test": lines,
        "lifecycle": job.lifecycle,
        "locked": job.locked,
    }
