"""The addresses under which the server answers."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

LOOPBACK_NAMES = ("127.0.0.1", "localhost")

OPEN_HOST_WARNING = """\
warning: --host {host} lets other computers reach this server.
  Anyone who opens the link below first can see the run and its photos, upload photos, compute with
  your models and edit the notes of units. The link works once and is not encrypted: use it in
  networks that you trust. The safer way is `ssh -L {port}:127.0.0.1:{port}` without --host."""


@dataclass(frozen=True)
class ServerAddress:
    """Where the server listens.

    Attributes:
        host, port: the interface and the port.
        names: host names under which requests are answered.
    """

    host: str
    port: int
    names: tuple[str, ...]

    @property
    def hosts(self) -> frozenset[str]:
        """The values of the Host header that are allowed."""
        return frozenset(_with_port(name, self.port) for name in self.names)

    @property
    def url(self) -> str:
        """The address to open in a browser, without a slash at the end."""
        return f"http://{_with_port(self.names[0], self.port)}"

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this computer can reach the server."""
        return is_loopback(self.host)


def server_address(host: str, port: int) -> ServerAddress:
    """Return the names under which a server on an interface answers.

    On the loopback interface these are `127.0.0.1` and `localhost`. For the address of all
    interfaces (`0.0.0.0`) they are the names and addresses of this computer.
    """
    if host in LOOPBACK_NAMES:
        return ServerAddress(host, port, LOOPBACK_NAMES)
    if _is_unspecified(host):
        return ServerAddress(host, port, tuple(dict.fromkeys((*_own_names(), *LOOPBACK_NAMES))))
    return ServerAddress(host, port, (host,))


def is_loopback(host: str) -> bool:
    """Return whether an interface is the loopback interface."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _own_names() -> list[str]:
    """Return the name of this computer and its addresses."""
    name = socket.gethostname()
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return [name]
    addresses = [str(address[0]).partition("%")[0] for *_, address in found]
    return [name, *addresses]


def _with_port(name: str, port: int) -> str:
    host = f"[{name}]" if ":" in name else name
    return host if port == 80 else f"{host}:{port}"
