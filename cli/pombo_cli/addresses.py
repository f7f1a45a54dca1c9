"""Addresses of the network."""

from typing import NamedTuple

DEFAULT_PORT = 5005


class Address(NamedTuple):
    """A host name or IP address, without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
