"""A non-blocking TCP or TLS connection under MicroPython's asyncio."""

import asyncio
import errno
import select
import socket

from micropython import const

from . import LOST, NO_BROKER, TLS_FAILED, LinkError

_CONNECT_TIMEOUT_MS = const(10000)
_STEP_MS = const(10)
_TCP = const(6)
_NODELAY = const(1)


def _contents(path):
    with open(path, "rb") as file:
        return file.read()


class Transport:
    """config: host, port, and the keys for TLS (docs/mqtt.md). What came lies in `data`."""

    def __init__(self, config, size):
        self.config = config
        self.tls = bool(config.get("tls") or config.get("ca") or config.get("psk_key"))
        self.port = config.get("port") or (8883 if self.tls else 1883)
        self.context = None
        self.buffer = bytearray(size)
        self.data = memoryview(self.buffer)
        self.sockets = []
        self.close()

    def close(self):
        while self.sockets:
            try:
                self.sockets.pop().close()
            except OSError:
                pass
        self.shaking = self.tls  # the handshake is not done
        self.held = 0  # bytes that TLS was offered and must be offered again

    async def open(self, found):
        """Connects to what getaddrinfo found. Raises LinkError NO_BROKER or TLS_FAILED."""
        try:
            await self._connect(found)
        except OSError as error:
            raise LinkError(NO_BROKER, error)
        if self.tls:
            try:
                self.sockets.append(self._secure(self.config["host"]))
            except Exception as error:  # a wrong file, no such key, no memory: never a crash
                raise LinkError(TLS_FAILED, error)
        self.socket = self.sockets[-1]
        self.stream = asyncio.StreamReader(self.socket)

    async def _connect(self, found):
        plain = socket.socket(found[0], found[1])
        self.sockets.append(plain)
        plain.setblocking(False)
        try:
            plain.setsockopt(_TCP, _NODELAY, 1)
        except OSError:
            pass
        try:
            plain.connect(found[-1])
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        poller = select.poll()
        poller.register(plain, select.POLLOUT)
        for _ in range(_CONNECT_TIMEOUT_MS // _STEP_MS):
            if poller.poll(0):
                break
            await asyncio.sleep_ms(_STEP_MS)
        else:
            raise OSError(errno.ETIMEDOUT)
        try:
            # a refused connection is writable too; its error shows here
            if not plain.recv(1):
                raise OSError(errno.ECONNRESET)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise

    def _secure(self, host):
        import tls  # `ssl` without the part that is written in Python, and with shared keys

        config = self.config
        context = self.context
        if context is None:
            context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
            if config.get("psk_key"):
                context.psk_identity = config["psk_identity"]  # type: ignore[attr-defined]
                context.psk_key = bytes.fromhex(config["psk_key"])  # type: ignore[attr-defined]
            else:
                context.load_verify_locations(_contents(config["ca"]))
                if config.get("certificate"):
                    certificate = _contents(config["certificate"])
                    context.load_cert_chain(certificate, _contents(config["key"]))
            self.context = context
        plain = self.sockets[0]
        return context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)

    def lost(self, error):
        """The LinkError for a broken connection."""
        return LinkError(TLS_FAILED if self.shaking else LOST, error)

    def write(self, buf, start, length):
        """How many of buf[start:start + length] were taken, 0 = none now. Raises LinkError."""
        length = self.held or length
        try:
            taken = self.socket.write(buf, start, length)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise self.lost(error)
            taken = 0
        except ValueError as error:
            # how the TLS library says that it does not trust the certificate
            raise self.lost(error)
        if taken:
            self.shaking = False
            self.held = 0
            return taken
        if self.tls:
            self.held = length
        return 0

    async def receive(self):
        """Waits for bytes; how many lie in `data`, None = none yet. Raises LinkError."""
        try:
            count = await self.stream.readinto(self.buffer)
        except (OSError, ValueError) as error:
            raise self.lost(error)
        if count == 0:
            raise self.lost("closed")
        return count
