"""A TCP or TLS connection that never waits, for a loop that watches thousands of them."""

from __future__ import annotations

import errno
import select
import socket
import ssl
from dataclasses import dataclass

from host.collect.broker import BrokerSettings

READ, WRITE = 1, 2
_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EISCONN)
_GONE = select.POLLERR | select.POLLHUP


class PskUnknown(Exception):
    """This Python cannot do TLS with shared keys."""


@dataclass(frozen=True)
class Entrance:
    """Where the broker is and how to enter, made once for all connections to it."""

    host: str
    port: int
    family: int
    address: tuple[object, ...]
    context: ssl.SSLContext | None

    @classmethod
    def find(cls, settings: BrokerSettings, psk: bool = False) -> Entrance:
        """Looks the name up and reads the files. Raises OSError (ssl.SSLError too), PskUnknown."""
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        context = _context(settings) if settings.tls and not psk else None
        if psk and not hasattr(ssl.SSLContext, "set_psk_client_callback"):
            raise PskUnknown("--psk needs Python 3.13 or later; take --certificate-file instead")
        return cls(settings.host, settings.port, family, address, context)


def _context(settings: BrokerSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.certificate_file:
        context.load_cert_chain(settings.certificate_file, settings.key_file)
    return context


def psk_context(identity: str, key: bytes) -> ssl.SSLContext:
    """For one box: it and the broker share `key`, and nothing else is trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("PSK")
    # mypy reads the standard library of the oldest Python
    context.set_psk_client_callback(lambda hint: (identity, key))  # type: ignore[attr-defined]
    return context


class Wire:
    """One connection. `wanted`: what to watch the socket for, READ and WRITE.

    What goes wrong is raised as OSError.
    """

    def __init__(self, entrance: Entrance, context: ssl.SSLContext | None = None) -> None:
        self.socket = socket.socket(entrance.family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ready = False  # connected, and the handshake is done
        self.wanted = WRITE
        self._host = entrance.host
        self._context = context or entrance.context
        self._tls: ssl.SSLSocket | None = None
        self._tcp = False
        self._address = entrance.address
        code = self.socket.connect_ex(entrance.address)
        if code not in _UNDER_WAY:
            self.close()
            raise OSError(code, errno.errorcode.get(code, "connect"))

    def close(self) -> None:
        (self._tls or self.socket).close()

    def fileno(self) -> int:
        return (self._tls or self.socket).fileno()

    def advance(self) -> bool:
        """Goes on with connecting; True as soon as `ready`."""
        if not self._tcp:
            code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, errno.errorcode.get(code, "connect"))
            self._tcp = True
            if self._context:
                self._tls = self._context.wrap_socket(
                    self.socket, server_hostname=self._host, do_handshake_on_connect=False
                )
        if self._tls:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.wanted = READ
                return False
            except ssl.SSLWantWriteError:
                self.wanted = WRITE
                return False
            except OSError as wrong:
                raise OSError(wrong.errno, f"no TLS with it: {wrong.strerror}") from None
        self.ready, self.wanted = True, READ
        return True

    def receive(self, size: int) -> bytes | None:
        """Up to `size` bytes, None if there are none yet. An end of the connection is an error."""
        try:
            data = (self._tls or self.socket).recv(size)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "closed by the broker")
        return data

    def send(self, data: memoryview) -> int:
        """How many bytes were taken."""
        try:
            return (self._tls or self.socket).send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
