"""What stands for one client in a limit: an address, or a network of addresses."""

from ipaddress import IPv6Address, ip_address
from typing import Final

_IPV6_PREFIX: Final = 64  # bits; a customer of a provider has at least such a network


def network_of(address: str) -> str:
    """Return the IPv4 address of a client, or what the addresses of its IPv6 network begin with."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(int(found) >> (128 - _IPV6_PREFIX))
    return str(found)
