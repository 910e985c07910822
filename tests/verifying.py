"""What the tests of `wallbox ledger verify` share."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from host.cli import app
from host.keys import KeyStore
from host.ledger.verify.ring_image import read_image
from host.ledger.verify.verifier import verify
from tests.ledger_story import KEY

SERIAL = "WB-000001"


def silent(what, done, total):
    pass


def report_of(image, key=KEY):
    return verify(read_image(bytes(image), silent), key, silent)


def codes(report):
    return [found.code for found in report.findings]


def told(report):
    return "\n".join(found.text for found in report.findings)


def flipped(image, position, bit):
    changed = bytearray(image)
    changed[position] ^= 1 << bit
    return bytes(changed)


def said(done, code):
    assert done.exit_code == code, done.output
    return done.stdout if code < 2 else done.stderr


def found_in(report):
    return [(one["code"], one["sequence"]) for one in report["findings"]]


class Operator:
    """Runs the command with a key store of its own."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        (directory / "keys").mkdir(mode=0o700)
        self.keys = KeyStore(directory / "keys")
        self.keys.create(SERIAL, KEY)
        self.keys.create("WB-000002")

    def file(self, data, name="ledger.bin"):
        path = self.directory / name
        path.write_bytes(data)
        return path

    def run(self, *arguments, keys=True):
        words = ["ledger", "verify", *map(str, arguments)]
        words += ["--keys", str(self.directory / "keys")] if keys else []
        return CliRunner(env={"COLUMNS": "300"}).invoke(app, words)

    def report(self, *arguments, keys=True):
        done = self.run(*arguments, "--json", keys=keys)
        assert done.exit_code in (0, 1), done.output
        report = json.loads(done.stdout)
        assert report["whole"] == (done.exit_code == 0) == (not report["findings"])
        return report
