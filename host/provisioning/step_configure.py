"""Step 4: the box's configuration from the order, checked by the box's own rules before it goes.

Also the end of writing: the box starts anew here, and must run with what it got.
"""

from __future__ import annotations

import json
from typing import Any

from wallbox import config

from host.provisioning import repl
from host.provisioning.box_words import in_words
from host.provisioning.job import Job
from host.provisioning.order import Order
from host.provisioning.outcome import refused, unusable, waiting
from host.provisioning.partner import Partner
from host.provisioning.texts import N_, _

TITLE = N_("Configuration")
LIMIT_A = 16  # W1: 11 kW are three phases of 16 A, whatever the breaker


def run(job: Job) -> str:
    tree = checked(job.order, job.partner, job.chip)
    data = json.dumps(tree, indent=1, sort_keys=True).encode()
    if job.locked:
        return _("as it is; a locked box is changed with `wallbox console network`")
    assert job.survey is not None
    if job.partner.broker.tls == "certificate" and not job.survey.files.get(repl.CERTIFICATE):
        raise waiting(_("the box has no certificate yet"),
                      _("the operator has to sign {file}", file=job.file(".csr")),
                      _("send it, then `wallbox certificate install`, then repeat this command"))
    written = job.survey.files.get(repl.CONFIG) != data
    if written:
        job.survey = repl.write(job.port, {}, {repl.CONFIG: data})
        if job.survey.files.get(repl.CONFIG) != data:
            raise refused(_("the configuration does not read back"),
                          _("the box's flash holds something else"),
                          _("repeat the command; if it stays, the chip's flash is failing"))
    values = config.check(tree)
    job.journal.note("configuration", digest=config.digest(values).hex())
    if job.must_restart:
        restart(job)
    return _("written, and the box runs with it") if written else _("as it is to be")


def restart(job: Job) -> None:
    """Start the box and wait until its agent runs with a valid configuration. Raises Stopped."""
    repl.reset(job.port)
    job.must_restart = False
    health = job.wait(lambda told: told.get("agent") == "runs")
    if health.get("agent") != "runs":
        raise refused(_("the agent does not run"),
                      _("the box says: {agent}", agent=health.get("agent")),
                      _("see docs/recovery.md"))
    if health.get("configuration"):
        raise refused(_("the box does not take its configuration"),
                      in_words(str(health["configuration"]))[:200],
                      _("correct the order and repeat"))
    job.ask_identity()


def checked(order: Order, partner: Partner, chip: str) -> dict[str, Any]:
    """The tree of config.json. Raises Stopped with the field that is missing or wrong."""
    for name in ("installation", "wifi", "meter", "seals"):
        if getattr(order, name) is None:
            raise unusable(_("the order does not tell {table}", table=name),
                           _("the table [{table}] is missing", table=name),
                           _("write it, then repeat the command"), name)
    tree = _tree(order, partner, chip)
    try:
        config.check(tree)
    except config.ConfigError as error:
        field = getattr(error, "field", "") or str(error).split(":", 1)[0]
        raise unusable(_("the configuration is not valid"), in_words(str(error)),
                       _("correct the order or the partner's file"), field) from None
    return tree


def _tree(order: Order, partner: Partner, chip: str) -> dict[str, Any]:
    assert order.installation and order.wifi and order.meter and order.seals
    broker: dict[str, Any] = {
        "host": partner.broker.host,
        "port": partner.broker.port,
        "tls": partner.broker.tls,
        "keep_alive_s": partner.broker.keep_alive_s,
    }
    if partner.broker.tls == "certificate":
        broker |= {"ca": repl.AUTHORITY, "certificate": repl.CERTIFICATE, "key": repl.PRIVATE_KEY}
    return {
        "serial": order.serial,
        "type": order.type,
        "chip": chip,
        "lifecycle": "factory",
        "interval_s": partner.interval_s,
        "breaker_a": order.installation.breaker_a,
        "installation_limit_a": min(LIMIT_A, order.installation.breaker_a),
        "phase_rotation": order.installation.phase_rotation,
        "meter": {"model": order.meter.model, "address": order.meter.address},
        "wifi": {"ssid": order.wifi.ssid, "password": order.wifi.password},
        "broker": broker,
        "clock": {"host": partner.clock.host, "port": partner.clock.port},
        "seals": {"fitted": order.seals.fitted, "policy": order.seals.policy},
        "reader": {"fitted": order.reader.fitted, "mode": order.reader.mode},
        "presence": {"offline_grace_h": partner.offline_grace_h},
    }
