"""`wallbox certificate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from host.provisioning.options import (
    PARTNER,
    ColorOption,
    JsonOption,
    LangOption,
    PartnerOption,
    PortOption,
    partner_at,
    say,
    say_json,
    speaking,
)

_certificate = typer.Typer(
    help="The signed certificate of an installation, and the box's own.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    app.add_typer(_certificate, name="certificate")


@_certificate.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="The .certificate.json.")],
    authority: Annotated[Path, typer.Option("--authority", help="The operator's CA (PEM).")],
    as_json: JsonOption = False,
    lang: LangOption = "en",
    no_color: ColorOption = False,
) -> None:
    """Prove that a certificate is the partner's, unchanged, and the operator's authority behind it.

    Exit code 0: proved. 2: wrong options. 4: a file is unusable. 5: not proved, with the reason.
    """
    from host.provisioning import certificate
    from host.provisioning.partner import read_file
    from host.provisioning.texts import _

    with speaking(lang, no_color, as_json):
        told = certificate.read(file)
        signer = certificate.verify(told, read_file(authority, "authority"))
        box = told["certificate"]["box"]
        if as_json:
            say_json({"proved": True, "signer": signer, "serial": box["serial"],
                      "chip": box["chip"]})
        else:
            say(_("proved: {serial} on chip {chip}, signed by {signer}", serial=box["serial"],
                  chip=box["chip"], signer=signer))


@_certificate.command("install")
def install(
    file: Annotated[Path, typer.Argument(help="The box's certificate (PEM) from the operator.")],
    port: PortOption,
    partner: PartnerOption = PARTNER,
    as_json: JsonOption = False,
    lang: LangOption = "en",
    no_color: ColorOption = False,
) -> None:
    """Put the certificate that the operator signed onto the box that asked for it.

    Exit code 0: installed. 2: wrong options. 3: no answer. 4: a file is unusable. 5: it is of
    another authority, box or key.
    """
    from cryptography.hazmat.primitives import serialization

    from host.provisioning import authority, repl
    from host.provisioning.outcome import refused
    from host.provisioning.partner import read_file
    from host.provisioning.texts import _

    with speaking(lang, no_color, as_json):
        ca = read_file(partner_at(partner).authority, "authority")
        try:
            survey = repl.look(port)
            der = authority.check_issued(read_file(file, "certificate"), ca, survey.serial,
                                         survey.chip)
            try:
                key = serialization.load_der_private_key(
                    survey.files.get(repl.PRIVATE_KEY, b""), None
                )
                fitting = authority.fits(der, key, ca, survey.serial, survey.chip)  # type: ignore
            except (ValueError, TypeError):
                fitting = False
            if not fitting:
                raise refused(_("the certificate is not taken"),
                              _("the box has another private key"),
                              _("send the newest request to the operator"))
            repl.write(port, {}, {repl.CERTIFICATE: der})
        finally:
            repl.reset(port)
        if as_json:
            say_json({"installed": True, "serial": survey.serial})
        else:
            say(_("installed on {serial}; now repeat `wallbox provision`", serial=survey.serial))


@_certificate.command("sign")
def sign(
    request: Annotated[Path, typer.Argument(help="The .csr that `wallbox provision` wrote.")],
    authority_file: Annotated[Path, typer.Option("--authority", help="The CA (PEM).")],
    authority_key: Annotated[Path, typer.Option("--authority-key", help="Its key, mode 0600.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The certificate (PEM).")],
    as_json: JsonOption = False,
    lang: LangOption = "en",
    no_color: ColorOption = False,
) -> None:
    """For the operator: sign a box's request. Compare its serial and chip with your own list first.

    Exit code 0: signed. 2: wrong options. 4: a file is unusable. 5: the request was changed.
    """
    from host.provisioning import authority
    from host.provisioning.files import write_whole
    from host.provisioning.outcome import unusable
    from host.provisioning.partner import read_file, read_secret
    from host.provisioning.texts import _

    with speaking(lang, no_color, as_json):
        try:
            pem = authority.sign(read_file(request, "request"),
                                 read_file(authority_file, "authority"),
                                 read_secret(authority_key, "authority_key"))
            write_whole(output, pem, 0o644)
        except (OSError, ValueError) as wrong:
            raise unusable(_("{file} is not usable", file=request), str(wrong)[:200],
                           _("name the .csr of the box")) from None
        say_json({"file": str(output)}) if as_json else say(str(output))
