"""The agent and a real node_exporter on the same files: those of the collectors' fixtures."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from support.fixtures import FIXTURES, arguments_in, copy_fixture
from support.pages import Page
from support.processes import Exporter, Launcher, found
from support.same_input import helps, of_agent, of_their_own, samples, types

#: Collectors that node_exporter does not have.
OURS: frozenset[str] = frozenset({"containers"})

#: Collectors that newer versions of node_exporter have; their own tests state the values.
NEWER: frozenset[str] = frozenset(
    {
        *("bcachefs", "cpu_vulnerabilities", "dmmultipath", "kernel_hung", "pcidevice"),
        *("softirqs", "swap", "watchdog", "xfrm"),
    }
)

#: Families that newer versions have, of collectors that node_exporter has.
NEWER_FAMILIES = {
    "node_cpu_scaling_governor",
    "node_mountstats_nfs_mountpoint_info",
    "node_mountstats_nfs_operations_errors_total",
    *(f"node_softnet_{name}" for name in ("backlog_len", "cpu_collision_total")),
    *(f"node_softnet_{name}_total" for name in ("flow_limit_count", "received_rps")),
}

#: Collectors whose values are of this very machine.
OF_THIS_MACHINE = {"filesystem", "selinux", "time", "timex", "uname"}

#: Families about node_exporter and the agent themselves.
_OWN = re.compile("node_(scrape_|exporter_)")


@cache
def of_node_exporter() -> frozenset[str]:
    """Return the names of the collectors that the installed node_exporter has."""
    command = [found("prometheus-node-exporter"), "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return frozenset(re.findall(r"--(?:\[no-\])?collector\.(\w+)\s", done.stdout + done.stderr))


def names_of_host(page: Page) -> set[str]:
    """Return the names of samples that are about a host, and not about who reports them."""
    return {name for name, _ in page.samples if name.startswith("node_") and not _OWN.match(name)}


@pytest.fixture(scope="module")
def exporter(start_once: Launcher) -> Exporter:
    return start_once.exporter()


NAMES = sorted(path.name for path in FIXTURES.iterdir() if path.name not in OF_THIS_MACHINE)


@pytest.mark.parametrize("name", NAMES)
def test_families_and_values_are_those_of_node_exporter(
    name: str, exporter: Exporter, start: Launcher, tmp_path: Path
) -> None:
    if name not in of_node_exporter():
        assert name in OURS or name in NEWER, "node_exporter does not have it"
        return
    folder = tmp_path / "host"
    copy_fixture(name, folder)
    flags = [
        "--collector.disable-defaults",
        f"--collector.{name}",
        *arguments_in(name, folder),
        f"--path.procfs={folder}/proc",
        f"--path.sysfs={folder}/sys",
        f"--path.rootfs={folder}/root",
        f"--path.udev.data={folder / 'root'}/run/udev/data",
    ]
    theirs = of_their_own(start, flags)
    ours = of_agent(exporter, f"host of {name}", flags)
    expected = samples(theirs, names_of_host(theirs))
    assert expected, "node_exporter makes nothing of the fixture"
    names = names_of_host(ours) - (NEWER_FAMILIES - set(expected))
    assert samples(ours, names, instance=f"host of {name}") == expected
    for kind in (types, helps):
        shown = kind(ours)
        wanted = {family: kind(theirs).get(family) for family in expected}
        assert {family: shown.get(family) for family in expected} == wanted
