"""What the kernel writes of node_exporter's subjects, read as pure text."""

from pathlib import Path

import pytest
from pombo_agent.collectors import (
    NoDataError,
    Sources,
    arp,
    clock,
    conntrack,
    diskstats,
    hwmon,
    identity,
    meminfo,
    netclass,
    netstat,
    pressure,
    sockstat,
    softnet,
    system,
    thermal_zone,
)
from pombo_wire import (
    CoolingDevices,
    Dmi,
    Fans,
    Pressure,
    SensorChips,
    SensorLabels,
    System,
    Temperatures,
    ThermalZones,
)


def laid_out(root: Path, files: dict[str, str]) -> Path:
    """Write files as ``/proc`` or ``/sys`` would show them."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


STAT = """\
cpu  4408 0 2095 459605 285 0 54 99 7 3
cpu0 1352 0 830 230928 90 0 10 49 7 3
intr 161034 0 27 0 0 5
ctxt 291018
btime 1795490033
processes 2911
procs_running 3
procs_blocked 1
softirq 96105 0 7706
"""


def test_of_stat_each_single_number_is_taken_and_of_interrupts_their_sum() -> None:
    assert system.parse_stat(STAT) == {
        "boot_time": 1795490033,
        "context_switches": 291018,
        "forks": 2911,
        "interrupts": 161034,
        "processes_running": 3,
        "processes_blocked": 1,
    }


def test_files_and_entropy_are_read_where_the_kernel_has_them(
    this_machine: Sources, tmp_path: Path
) -> None:
    procfs = laid_out(
        tmp_path,
        {"sys/fs/file-nr": "857\t0\t2466170\n", "sys/kernel/random/entropy_avail": "256\n"},
    )
    sources = this_machine._replace(procfs=procfs, sysfs=tmp_path)
    assert system.collect_filefd(sources) == [
        ("system", System(file_handles=857, file_handles_max=2466170))
    ]
    assert system.collect_entropy(sources) == [("system", System(entropy_available=256))]


@pytest.mark.parametrize(("files", "enabled"), [({}, 0), ({"fs/selinux/enforce": "0"}, 1)])
def test_selinux_is_enabled_where_its_filesystem_is(
    files: dict[str, str], enabled: int, this_machine: Sources, tmp_path: Path
) -> None:
    sources = this_machine._replace(sysfs=laid_out(tmp_path, files))
    assert system.collect_selinux(sources) == [("system", System(selinux_enabled=enabled))]


def test_clock_source_in_use_is_told_from_those_that_could_be() -> None:
    assert clock.parse_clock_sources("0", "tsc hpet acpi_pm \n", "hpet\n") == [
        {"device": "0", "clocksource": "tsc", "current": 0},
        {"device": "0", "clocksource": "hpet", "current": 1},
        {"device": "0", "clocksource": "acpi_pm", "current": 0},
    ]


ADJTIMEX = {
    "offset": -250_000,
    "freq": 65_536_000,
    "maxerror": 16_000_000,
    "esterror": 500,
    "status": 0x2001,
    "constant": 7,
    "precision": 1,
    "tolerance": 32_768_000,
    "tv_sec": 0,
    "tv_usec": 0,
    "tick": 10_000,
    "ppsfreq": -65_536_000_000,
    "jitter": 2_000,
    "shift": 4,
    "stabil": 131_072_000_000,
    "jitcnt": 1,
    "calcnt": 2,
    "errcnt": 3,
    "stbcnt": 5,
    "tai": 37,
}


def test_clock_that_counts_nanoseconds_is_told_in_seconds() -> None:
    found = clock.timex(0, ADJTIMEX)
    assert (found.offset, found.pps_jitter) == (-0.00025, 0.000002)
    assert found.frequency_ratio == pytest.approx(1.001)
    assert (found.maxerror, found.estimated_error, found.tick) == (16.0, 0.0005, 0.01)
    assert (found.pps_frequency, found.pps_stability) == (-1.0, 2.0)
    assert (found.status, found.sync_status, found.tai_offset) == (8193, 1, 37)
    counts = found.pps_jitter_exceeded, found.pps_calibrations, found.pps_errors
    assert (*counts, found.pps_stability_exceeded, found.pps_shift) == (1, 2, 3, 5, 4)


def test_clock_that_counts_microseconds_is_told_in_seconds() -> None:
    found = clock.timex(5, ADJTIMEX | {"status": 64})
    assert (found.offset, found.pps_jitter) == (-0.25, 0.002)
    assert found.sync_status == 0


OS_RELEASE = r"""
# the release
NAME="Debian GNU/Linux"
VERSION_ID='12'
ID=debian
PRETTY_NAME="A \"quoted\" \$name"
VERSION=
not an assignment
"""


def test_os_release_is_read_with_its_quotes_undone() -> None:
    assert identity.parse_os_release(OS_RELEASE) == {
        "name": "Debian GNU/Linux",
        "version_id": "12",
        "id": "debian",
        "pretty_name": 'A "quoted" $name',
        "version": "",
    }


def test_second_place_of_os_release_is_read_where_the_first_has_none(
    this_machine: Sources, tmp_path: Path
) -> None:
    sources = this_machine._replace(rootfs=tmp_path)
    with pytest.raises(NoDataError):
        identity.collect_os(sources)
    laid_out(tmp_path, {"usr/lib/os-release": "ID=void\nHOME_URL=x\n"})
    ((name, found),) = identity.collect_os(sources)
    assert (name, found.id) == ("os", "void")


def test_firmware_is_told_in_the_words_of_the_wire(this_machine: Sources, tmp_path: Path) -> None:
    sources = this_machine._replace(sysfs=tmp_path)
    with pytest.raises(NoDataError):
        identity.collect_dmi(sources)
    files = {"sys_vendor": "Dell Inc.\n", "bios_date": "12/24/2024\n", "product_serial": "S1\n"}
    laid_out(tmp_path / "class/dmi/id", files)
    assert identity.collect_dmi(sources) == [
        ("dmi", Dmi(bios_date="12/24/2024", system_vendor="Dell Inc."))
    ]


MEMINFO = """\
MemTotal:       16384000 kB
Active(anon):       1608 kB
HugePages_Total:       2
Hugepagesize:       2048 kB
DirectMap4k:       28672 kB
"""


def test_every_line_of_meminfo_has_a_name_and_sizes_say_so() -> None:
    assert meminfo.named(MEMINFO, meminfo.parse_meminfo(MEMINFO)) == {
        "MemTotal_bytes": 16384000 * 1024,
        "Active_anon_bytes": 1608 * 1024,
        "HugePages_Total": 2,
        "Hugepagesize_bytes": 2048 * 1024,
        "DirectMap4k_bytes": 28672 * 1024,
    }


def test_of_vmstat_paging_faults_swapping_and_kills_are_taken(
    this_machine: Sources, tmp_path: Path
) -> None:
    text = "nr_free_pages 9\npgpgin 1\npswpout 2\npgfault 3\npgmajfault 4\noom_kill 5\npgscan_x 6\n"
    sources = this_machine._replace(procfs=laid_out(tmp_path, {"vmstat": text}))
    expected = {"pgpgin": 1, "pswpout": 2, "pgfault": 3, "pgmajfault": 4, "oom_kill": 5}
    assert meminfo.collect_vmstat(sources) == [("vmstat", expected)]


PRESSURE = """\
some avg10=26.59 avg60=19.76 avg300=7.57 total=40294000
full avg10=0.00 avg60=0.00 avg300=0.00 total=250000
"""


def test_pressure_is_told_in_seconds_and_that_of_no_running_core_not_at_all(
    this_machine: Sources, tmp_path: Path
) -> None:
    assert pressure.parse_pressure("io", PRESSURE) == {"io_waiting": 40.294, "io_stalled": 0.25}
    sources = this_machine._replace(procfs=tmp_path)
    with pytest.raises(NoDataError):
        pressure.collect(sources)
    laid_out(tmp_path, {"pressure/cpu": PRESSURE})
    assert pressure.collect(sources) == [("pressure", Pressure(cpu_waiting=40.294))]


UDEV = """\
S:disk/by-id/ata-CT500_2117E5
E:ID_MODEL=CT500MX500SSD1
E:ID_SERIAL=CT500MX500SSD1_2117E5
E:ID_SERIAL_SHORT=2117E5
E:ID_REVISION=M3CR033
E:ID_PATH=pci-0000:00:17.0-ata-1
G:systemd
"""


def test_disk_is_described_by_udev_with_the_serial_number_on_its_label() -> None:
    assert diskstats.parse_udev(UDEV) == {
        "model": "CT500MX500SSD1",
        "path": "pci-0000:00:17.0-ata-1",
        "revision": "M3CR033",
        "serial": "2117E5",
        "wwn": "",
    }
    assert diskstats.parse_udev("E:ID_SERIAL=virtio-1\n")["serial"] == "virtio-1"
    assert set(diskstats.parse_udev("").values()) == {""}


ETH0 = {
    "carrier": "1",
    "carrier_changes": "3",
    "carrier_up_count": "2",
    "carrier_down_count": "1",
    "mtu": "1500",
    "tx_queue_len": "1000",
    "flags": "0x1003",
    "dormant": "0",
    "addr_assign_type": "0",
    "dev_id": "0x1f",
    "ifindex": "4",
    "iflink": "7",
    "link_mode": "0",
    "name_assign_type": "1",
    "netdev_group": "0",
    "type": "1",
    "speed": "1000",
    "operstate": "up",
}


def test_interface_is_told_with_its_speed_in_bytes_and_its_flags_as_a_number() -> None:
    assert netclass.numbers("eth0", ETH0) == {
        "device": "eth0",
        "up": 1,
        "speed": 125_000_000,
        "flags": 4099,
        "device_id": 31,
        "carrier": 1,
        "carrier_changes": 3,
        "carrier_up_changes": 2,
        "carrier_down_changes": 1,
        "mtu": 1500,
        "transmit_queue_length": 1000,
        "dormant": 0,
        "address_assign_type": 0,
        "iface_id": 4,
        "iface_link": 7,
        "iface_link_mode": 0,
        "name_assign_type": 1,
        "net_dev_group": 0,
        "protocol_type": 1,
    }


def test_interface_that_is_down_tells_neither_carrier_nor_speed() -> None:
    row = netclass.numbers("ifb0", {"operstate": "down", "mtu": "1500"})
    assert {name: value for name, value in row.items() if value is not None} == {
        "device": "ifb0",
        "up": 0,
        "mtu": 1500,
    }
    assert netclass.numbers("eth1", ETH0 | {"speed": "-1"})["speed"] == -125_000


def test_what_is_no_interface_is_passed_over(this_machine: Sources, tmp_path: Path) -> None:
    files = {"class/net/bonding_masters": "bond0\n", "class/net/bond0/mtu": "9000\n"}
    sources = this_machine._replace(sysfs=laid_out(tmp_path, files))
    parts = dict(netclass.collect(sources))
    assert parts["interfaces"].device == ("bond0",)
    assert parts["network_info"].operstate == ("",)


SNMP = """\
Ip: Forwarding DefaultTTL InReceives
Ip: 2 64 114556
Tcp: RtoAlgorithm MaxConn CurrEstab InErrs RetransSegs
Tcp: 1 -1 8 5 4
UdpLite: InDatagrams InErrors
UdpLite: 9 6
"""

SNMP6 = """\
Ip6InReceives                   \t123
Ip6InOctets                     \t41234
Icmp6InMsgs                     \t3
Icmp6InErrors                   \t1
Udp6NoPorts                     \t2
UdpLite6InErrors                \t7
"""


def test_of_protocols_what_node_exporter_shows_is_taken() -> None:
    assert netstat.parse_snmp(SNMP) == {
        "Ip_Forwarding": 2,
        "Tcp_CurrEstab": 8,
        "Tcp_InErrs": 5,
        "Tcp_RetransSegs": 4,
        "UdpLite_InErrors": 6,
    }
    assert netstat.parse_snmp6(SNMP6) == {
        "Ip6_InOctets": 41234,
        "Icmp6_InMsgs": 3,
        "Icmp6_InErrors": 1,
        "Udp6_NoPorts": 2,
        "UdpLite6_InErrors": 7,
    }


def test_host_without_ipv6_has_no_counts_of_it(this_machine: Sources, tmp_path: Path) -> None:
    files = {"1/net/snmp": SNMP, "1/net/netstat": "", "1/net/sockstat": "sockets: used 16\n"}
    sources = this_machine._replace(procfs=laid_out(tmp_path, files))
    ((_, counts),) = netstat.collect(sources)
    assert counts == netstat.parse_snmp(SNMP)
    assert sockstat.collect_sockstat(sources) == [("sockstat", {"sockets_used": 16})]
    assert sockstat.collect_udp_queues(sources) == []


def test_memory_of_sockets_is_told_in_pages_and_in_bytes() -> None:
    text = "sockets: used 16\nTCP: inuse 1 orphan 0 tw 304 alloc 1 mem 2\nFRAG: inuse 0 memory 5\n"
    assert sockstat.parse_sockstat(text, 65536) == {
        "sockets_used": 16,
        "TCP_inuse": 1,
        "TCP_orphan": 0,
        "TCP_tw": 304,
        "TCP_alloc": 1,
        "TCP_mem": 2,
        "TCP_mem_bytes": 131072,
        "FRAG_inuse": 0,
        "FRAG_memory": 5,
    }


UDP = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  281: 00000000:138D 00000000:0000 07 00000010:000001FF 00:00000000 00000000     0        0 28931 2 0000000000000000 0
  702: 0100007F:0035 00000000:0000 07 00000001:00000001 00:00000000 00000000     0        0 28934 2 0000000000000000 0
"""  # noqa: E501  # as the kernel writes it


def test_queues_of_udp_are_summed_over_all_sockets() -> None:
    assert sockstat.parse_udp(UDP) == (0x11, 0x200)


SOFTNET = """\
000047ae 00000001 00000002 00000000 00000000 00000000 00000000 00000000 00000003 00000004 00000005 00000006 00000000
00017837 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 0000000a
"""  # noqa: E501  # as the kernel writes it


def test_softnet_is_hexadecimal_and_names_its_cores() -> None:
    first, second = softnet.parse_softnet_stat(SOFTNET)
    assert first == {
        "cpu": "0",
        "processed": 0x47AE,
        "dropped": 1,
        "times_squeezed": 2,
        "cpu_collision": 3,
        "received_rps": 4,
        "flow_limit": 5,
        "backlog_len": 6,
    }
    assert second["cpu"] == "10"


def test_softnet_of_an_old_kernel_has_fewer_columns_and_cores_by_their_place() -> None:
    rows = softnet.parse_softnet_stat("00000001 00000002 00000003\n00000004 00000005 00000006\n")
    assert rows[1] == {"cpu": "1", "processed": 4, "dropped": 5, "times_squeezed": 6}


ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0
192.0.2.7        0x1         0x0         00:00:00:00:00:00     *        eth0
198.51.100.3     0x1         0x2         02:fc:00:00:00:07     *        br-1
"""


def test_arp_entries_are_counted_by_interface() -> None:
    assert arp.parse_arp(ARP) == {"eth0": 2, "br-1": 1}
    assert arp.parse_arp(ARP.splitlines()[0]) == {}


CONNTRACK = """\
entries  searched found new invalid ignore delete insert insert_failed drop early_drop search_restart
0000000a  00000000 00000001 00000000 00000002 00000003 00000000 00000004 00000005 00000006 00000007 00000008
0000000a  00000000 000000ff 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001
"""  # noqa: E501  # as the kernel writes it


def test_connection_tracking_is_summed_over_all_cores(
    this_machine: Sources, tmp_path: Path
) -> None:
    assert conntrack.parse_statistics(CONNTRACK) == {
        "stat_found": 256,
        "stat_invalid": 2,
        "stat_ignore": 3,
        "stat_insert": 4,
        "stat_insert_failed": 5,
        "stat_drop": 6,
        "stat_early_drop": 7,
        "stat_search_restart": 9,
    }
    sources = this_machine._replace(procfs=tmp_path)
    with pytest.raises(NoDataError):
        conntrack.collect(sources)
    files = {"nf_conntrack_count": "12\n", "nf_conntrack_max": "262144\n"}
    laid_out(tmp_path / "sys/net/netfilter", files)
    assert conntrack.collect(sources) == [("conntrack", {"entries": 12, "entries_limit": 262144})]


def test_sensors_are_named_by_where_their_chip_sits(this_machine: Sources, tmp_path: Path) -> None:
    sources = this_machine._replace(sysfs=tmp_path)
    with pytest.raises(NoDataError):
        hwmon.collect(sources)
    chip = laid_out(
        tmp_path / "devices/platform/coretemp.0",
        {
            "hwmon/hwmon1/name": "coretemp\n",
            "hwmon/hwmon1/temp1_input": "48500\n",
            "hwmon/hwmon1/temp1_max": "80000\n",
            "hwmon/hwmon1/temp1_crit": "100000\n",
            "hwmon/hwmon1/temp1_label": "Package id 0\n",
            "hwmon/hwmon1/temp2_input": "-5000\n",
            "hwmon/hwmon1/fan1_input": "1200\n",
            "hwmon/hwmon1/uevent": "",
        },
    )
    (chip / "hwmon/hwmon1/device").symlink_to(chip)
    (tmp_path / "class/hwmon").mkdir(parents=True)
    (tmp_path / "class/hwmon/hwmon1").symlink_to(chip / "hwmon/hwmon1")
    name = "platform_coretemp_0"
    assert hwmon.collect(sources) == [
        (
            "temperatures",
            Temperatures((name,), ("temp1",), celsius=(48.5,), max=(80.0,), crit=(100.0,)),
        ),
        ("temperatures", Temperatures((name,), ("temp2",), celsius=(-5.0,))),
        ("fans", Fans((name,), ("fan1",), rpm=(1200.0,))),
        ("sensor_chips", SensorChips((name,), ("coretemp",))),
        ("sensor_labels", SensorLabels((name,), ("temp1",), ("Package id 0",))),
    ]


def test_chip_without_a_device_has_its_own_name_or_its_number() -> None:
    nowhere = Path("/sys/devices/virtual/thermal/hwmon0/device")
    assert hwmon.chip_name(nowhere, "acpitz\n", "hwmon0") == "acpitz"
    assert hwmon.chip_name(nowhere, None, "hwmon0") == "hwmon0"


def test_thermal_zones_are_in_degrees_and_one_that_refuses_is_absent(
    this_machine: Sources, tmp_path: Path
) -> None:
    files = {
        "thermal_zone0/type": "x86_pkg_temp\n",
        "thermal_zone0/temp": "47250\n",
        "thermal_zone1/type": "iwlwifi_1\n",
        "cooling_device3/type": "Processor\n",
        "cooling_device3/cur_state": "2\n",
        "cooling_device3/max_state": "10\n",
    }
    laid_out(tmp_path / "class/thermal", files)
    assert thermal_zone.collect(this_machine._replace(sysfs=tmp_path)) == [
        ("thermal_zones", ThermalZones(("0",), ("x86_pkg_temp",), celsius=(47.25,))),
        (
            "cooling_devices",
            CoolingDevices(("3",), ("Processor",), current_state=(2,), max_state=(10,)),
        ),
    ]
