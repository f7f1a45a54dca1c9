"""Which network interfaces are a host's own links, so that traffic is counted once.

What passes a bridge, bond, VLAN, tunnel or container passes a link, too, and the kernel counts it
on each of them. Agents report no kind of interface, so its name decides, as the kernel and the
usual programs give it.
"""

import re
from functools import lru_cache
from typing import Final

#: The longest name of an interface on Linux, in characters. Longer ones are not remembered.
_LONGEST: Final = 15
_REMEMBERED: Final = 4096

#: Interfaces over others, by the begin of their names. A number or a hyphen follows some of them,
#: so that a link which is called ``lan`` or ``brown`` is none of these.
_VIRTUAL: Final = re.compile(
    r"lo\d*$|"
    # Bridges and switches, and bonds and teams of links.
    r"(?:br|virbr|vmbr|lxcbr|lxdbr|incusbr|xenbr|cbr|cni|docker|podman|bridge|bond|team)\d|"
    r"br-|docker_gwbridge|cni-podman|ovs-|ovsbr|nm-bridge|nm-bond|nm-team|"
    r"bond-|team-|fwbr|fwln|fwpr|"
    # VLANs and others with an address of their own on a link.
    r".*\.\d+$|vlan\d|macvlan|macvtap|ipvlan|ipvtap|.*@|"
    # The ends of containers and virtual machines.
    r"veth|vnet\d|tap|vif\d|lxc[a-z0-9]|cali[a-z0-9]|cilium_|azv|eni[0-9a-f]{9}|weave|"
    r"datapath$|antrea-|genev|vboxnet|vmnet|nodelocaldns|kube-|kube_|dummy|ifb\d|nlmon|vcan|vxcan|"
    # Tunnels.
    r"tun|wg|tailscale|zt[a-z0-9]{7}|nebula|utun|ppp\d|sit\d|gre|erspan|ip6tnl|ip6gre|ip_vti|ip6_vti|"
    r"vti|ipip|xfrm|ipsec|vxlan|geneve|flannel|l2tp|he-ipv6|gif\d|stf\d|awdl\d|llw\d|anpi\d|p2p\d"
)


def is_own_link(device: str) -> bool:
    """Return whether an interface is a link of the host itself, and none over another one."""
    return _is_own(device) if len(device) <= _LONGEST else not _VIRTUAL.match(device)


@lru_cache(_REMEMBERED)
def _is_own(device: str) -> bool:
    return not _VIRTUAL.match(device)
