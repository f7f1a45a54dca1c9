"""What to do about each fault, in words and as commands."""

import errno
import shlex
import shutil
from collections.abc import Collection

from pombo_cli.addresses import Address

from pombo_agent.check.facts import Command, Remedy
from pombo_agent.servers import Listed


def open_port(port: int) -> Remedy:
    """Return how to let reports through the firewall of the exporter's machine."""
    return Remedy(
        f"Let UDP port {port} through to the exporter: in the firewall of its machine, with the "
        "command of the one that runs there, and in the firewalls and security groups on the way.",
        (
            Command(f"sudo ufw allow {port}/udp", "ufw"),
            Command(
                f"sudo firewall-cmd --permanent --add-port={port}/udp && "
                "sudo firewall-cmd --reload",
                "firewalld",
            ),
            Command(
                f"sudo nft insert rule inet filter input udp dport {port} accept",
                "nftables, if its table and chain have these names",
            ),
        ),
    )


def start_exporter(port: int) -> Remedy:
    """Return how to see whether an exporter runs and on which port."""
    return Remedy(
        f"Start the exporter, or give --server the port that its --udp.listen-address has. On its "
        f"machine, see whether it runs and whether something listens on UDP port {port}.",
        (
            Command("systemctl status pombo-exporter"),
            Command(f"ss --listening --udp --numeric --processes 'sport = :{port}'"),
        ),
    )


def check_key(name: str) -> Remedy:
    """Return how to get the right key."""
    return Remedy(
        "Enrol this host again. On the machine of the exporter, make the key of the host with the "
        "key file that the exporter uses, then put it into this host's --key-file and restart "
        "the agent.",
        (Command(f"pombo-exporter enroll {shlex.quote(name)} --seal.key-file=FILE --format=key"),),
    )


def lift_revocation(name: str) -> Remedy:
    """Return what to do about a name that is denied, or a key of an old generation."""
    return Remedy(
        f"If that is not intended: remove the line `deny {name}` from the exporter's key file and "
        "reload the exporter; after a change of `generation`, enrol this host again.",
        (
            Command("systemctl reload pombo-exporter"),
            Command(f"pombo-exporter enroll {shlex.quote(name)} --seal.key-file=FILE --format=key"),
        ),
    )


def give_exporter_key() -> Remedy:
    """Return what to do about an exporter that cannot open sealed reports at all."""
    return Remedy(
        "Start the exporter with its key file, --seal.key-file, or report in plain: without "
        "--key-file."
    )


def seal_reports(name: str) -> Remedy:
    """Return what to do where an exporter takes only sealed reports of a name."""
    return Remedy(
        "Seal the reports: make the key of this host on the machine of the exporter, and give it "
        "to the agent with --key-file.",
        (Command(f"pombo-exporter enroll {shlex.quote(name)} --seal.key-file=FILE --format=key"),),
    )


def two_agents(name: str, is_sealed: bool) -> Remedy:  # noqa: FBT001 - the two cases of one fault
    """Return what to do about two agents with one name."""
    if is_sealed:
        return Remedy(
            "Find the other agent: a cloned machine, a key file that was copied, or a second agent "
            "on this host. Enrol each host under a name of its own.",
            (
                Command("systemctl status pombo-agent; pgrep --list-full pombo-agent"),
                Command("pombo-exporter enroll OTHER-NAME --seal.key-file=FILE --format=key"),
            ),
        )
    return Remedy(
        f"Find the other agent that reports as {name}: a cloned machine, or a second agent on this "
        "host. Give each a --name of its own, or each machine its own hostname.",
        (Command("systemctl status pombo-agent; pgrep --list-full pombo-agent"),),
    )


def start_agent() -> Remedy:
    """Return how to see whether the agent runs."""
    return Remedy(
        "See whether the agent runs on this host, and read its log.",
        (
            Command("systemctl status pombo-agent"),
            Command("journalctl --unit=pombo-agent --lines=20"),
        ),
    )


def synchronise_clock() -> Remedy:
    """Return how to see whether this host's clock is synchronised, by what is installed."""
    commands = {
        "chronyc": (Command("chronyc tracking"), Command("sudo chronyc makestep")),
        "timedatectl": (Command("timedatectl"), Command("sudo timedatectl set-ntp true")),
    }
    found = [each for name, lines in commands.items() if shutil.which(name) for each in lines]
    return Remedy(
        "Synchronise the clock of this host. If other hosts are off by as much, it is the "
        "exporter's clock that is wrong.",
        (*(found or commands["timedatectl"]),),
    )


def of_error(error: OSError, server: Address) -> Remedy:
    """Return what to do about an error of the network."""
    port = server.port
    if error.errno == errno.ECONNREFUSED:
        return start_exporter(port)
    if error.errno == errno.EPERM:
        return Remedy(
            f"A packet filter of this host does not let the datagrams out: let it pass UDP to port "
            f"{port}.",
            (
                Command("sudo nft list ruleset; sudo iptables --list --numeric"),
                Command(f"sudo ufw allow out {port}/udp", "ufw"),
            ),
        )
    if error.errno == errno.EACCES:
        return Remedy(
            "Something forbids this process to open the socket: SELinux, AppArmor, the profile of "
            "a container, or RestrictAddressFamilies= of a unit. See the log of the kernel.",
            (Command("sudo journalctl --dmesg --grep='denied|audit' --lines=20"),),
        )
    if error.errno in (errno.ENETUNREACH, errno.EADDRNOTAVAIL):
        return Remedy(
            "This host has no route to the address. See its network.",
            (Command("ip address; ip route; ip -6 route"),),
        )
    if error.errno == errno.EHOSTUNREACH:
        return Remedy(
            "The machine of the exporter cannot be reached, or a firewall rejects UDP: see whether "
            f"it is up, and let UDP port {port} through.",
            (*_on_the_way(server), *open_port(port).commands),
        )
    return Remedy("See the network of this host.", (Command("ip address; ip route; ip -6 route"),))


def find_loss(server: Address) -> Remedy:
    """Return how to find where datagrams are lost."""
    return Remedy(
        "Find where datagrams are lost. Counters stay right without them, at a lower resolution; "
        "a longer --interval or HTTP helps where the network cannot be mended.",
        _on_the_way(server),
    )


def lower_mtu(device: str, longest: int, headers: int) -> Remedy:
    """Return what to do where long datagrams vanish."""
    mtu = longest + headers
    commands: tuple[Command, ...] = ()
    if device and longest:
        commands = (Command(f"sudo ip link set dev {shlex.quote(device)} mtu {mtu}", "until boot"),)
    return Remedy(
        "Something on the way drops long datagrams and does not say so, often a tunnel. Lower the "
        "MTU of this host's interface, raise that of the tunnel, or report over HTTP, which "
        "takes any path: --server=http://HOST:PORT.",
        commands,
    )


def check_name(server: str) -> Remedy:
    """Return what to do about a name that is not known."""
    return Remedy(
        "Correct the name in --server, or mend the resolver of this host.",
        (Command(f"getent ahosts {shlex.quote(server)}"), Command("cat /etc/resolv.conf")),
    )


def check_list(listed: Listed) -> Remedy:
    """Return what to do about a name that stands for no server."""
    if listed.scheme == "dns":
        return check_name(listed.name)
    return Remedy(
        "Correct the name in --server: it needs SRV records, of which each has the name and the "
        "port of an exporter.",
        (Command(f"dig +short {shlex.quote(listed.name)} SRV"), Command("cat /etc/resolv.conf")),
    )


def read_file(path: str, owner: str, mode: int) -> Remedy:
    """Return how to check with the rights that the agent has."""
    return Remedy(
        f"{path} belongs to {owner} and has the mode {mode:04o}. Run the check as root, or give "
        "the user of the agent the right to read the file.",
        (Command("sudo pombo-agent check"), Command(f"sudo chmod g+r {shlex.quote(path)}")),
    )


def see_host(missing: Collection[str]) -> Remedy:
    """Return how an agent in a container sees its host."""
    return Remedy(
        f"To report the host instead, start the container with {', '.join(missing)}; mount the "
        "host's folders read-only.",
        (
            Command(
                "docker run --network=host --pid=host --uts=host --volume=/proc:/host/proc:ro "
                "--volume=/sys:/host/sys:ro --volume=/:/host/root:ro,rslave pombo-agent "
                "--server=HOST --path.procfs=/host/proc --path.sysfs=/host/sys "
                "--path.rootfs=/host/root"
            ),
        ),
    )


def _on_the_way(server: Address) -> tuple[Command, ...]:
    host = shlex.quote(server.host)
    return Command(f"ping -c 20 {host}"), Command(f"mtr --report --udp --port {server.port} {host}")


def close_file(path: str) -> Remedy:
    """Return what to do about a secret that other users may read or write."""
    return Remedy(
        "Other users of this host may read or write the key, so it is not used. Take that right "
        "away, and enrol the host again if somebody may have read it.",
        (Command(f"chmod o= {shlex.quote(path)}"),),
    )


def mend_collectors() -> Remedy:
    """Return what to do about collectors that fail."""
    return Remedy(
        "All other collectors report. Give the agent's user the right to read what is named above, "
        "or disable the collector: --no-collector.NAME."
    )
