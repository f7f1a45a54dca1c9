"""The collector ``containers``."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collecting.flags import Filter, Flags
from pombo_agent.collecting.reading import PathLike, Skips, read_bytes
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import containers
from pombo_wire.section import Section
from support.clocks import Clock
from support.fixtures import copy_fixture

WriteFiles = Callable[[Path, dict[str, str]], Path]
Rows = dict[str, dict[str, float | str]]

#: An id of a container, and how it is shown.
ID = "4be1c09a7f33d2586e90ab14c7d8f5064be1c09a7f33d2586e90ab14c7d8f506"
SHORT = ID[:12]


def with_flags(sources: Sources, **given: Any) -> Sources:
    values = {"max": containers.MOST_CGROUPS, "id": Filter(), "name": Filter()}
    return sources._replace(flags=Flags({**values, **given}), skips=Skips())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def host(this_machine: Sources, tmp_path: Path) -> Sources:
    return with_flags(this_machine._replace(sysfs=tmp_path, kept={}))


def rows(sections: list[Section], name: str = "containers") -> Rows:
    """Return the texts and values of each row by its id, or by id and device."""
    found: Rows = {}
    for section in sections:
        if section.name == name:
            for row in range(section.rows):
                texts = {label: column[row] for label, column in section.labels.items()}
                values = {column: cells[row] for column, cells in section.columns.items()}
                key = " ".join(filter(None, (texts["id"], texts.get("device", ""))))
                known = {column: value for column, value in values.items() if value is not None}
                found[key] = texts | known
    return found


def make(tree: Path, *ids: str) -> None:
    """Make cgroups of version 2."""
    for number, name in enumerate(ids):
        folder = tree / "fs/cgroup" / name.lstrip("/")
        folder.mkdir(parents=True)
        (folder / "cpu.stat").write_text(f"usage_usec {number + 1}000000\n")


def names(sources: Sources, **given: Any) -> dict[str, tuple[str, str]]:
    """Return the name and the runtime of each cgroup by its id."""
    found = rows(containers.collect(sources, **given))
    return {each: (str(row["name"]), str(row["runtime"])) for each, row in found.items()}


def test_host_without_cgroups_has_no_data(host: Sources) -> None:
    with pytest.raises(NoDataError):
        containers.collect(host)


def test_values_of_version_2_have_the_units_of_their_families(
    host: Sources, tmp_path: Path
) -> None:
    copy_fixture("containers", tmp_path / "host")
    (tmp_path / "host/sys/fs/cgroup/cgroup.controllers").write_text("cpu io memory pids\n")
    found = containers.collect(host._replace(sysfs=tmp_path / "host/sys"))
    container, service = rows(found).values()
    assert container.pop("start_time") == int(container_start(tmp_path))
    assert container == {
        "id": "/system.slice/docker-"
        "3f4a9c0b7d21e85f6a1c93b0d4e7f2083f4a9c0b7d21e85f6a1c93b0d4e7f208.scope",
        "name": "3f4a9c0b7d21",
        "runtime": "docker",
        "cpu_usage": 48.123,
        "cpu_user": 31.235,
        "cpu_system": 16.889,
        "cfs_periods": 52013,
        "cfs_throttled_periods": 417,
        "cfs_throttled": 9.877,
        "cpu_quota": 150_000,
        "cpu_period": 100_000,
        "memory_usage": 268_435_456,
        "memory_working_set": 268_435_456 - 41_943_040,
        "memory_rss": 141_557_760,
        "memory_cache": 98_566_144,
        "memory_swap": 12_582_912,
        "memory_limit": 536_870_912,
        "page_faults": 812_345,
        "major_page_faults": 2187,
        "oom_kills": 2,
        "processes": 3,
        "threads": 23,
        "threads_max": 4915,
        "cpu_waiting": 5.123,
        "cpu_stalled": 1.235,
        "memory_waiting": 0.023,
        "memory_stalled": 0.012,
        "io_waiting": 3.457,
        "io_stalled": 2.346,
    }
    assert (service["name"], service["runtime"]) == ("nginx.service", "systemd")
    assert service["memory_limit"] == 0
    assert rows(found, "container_disks").keys() == {
        f"{container['id']} /dev/sda",
        f"{container['id']} 253:0",  # which sysfs does not have
    }
    disk = rows(found, "container_disks")[f"{container['id']} /dev/sda"]
    columns = ("read_bytes", "written_bytes", "reads", "writes")
    assert [disk[name] for name in columns] == [73_400_320, 31_457_280, 1987, 2543]


def container_start(tmp_path: Path) -> float:
    [folder] = (tmp_path / "host/sys/fs/cgroup/system.slice").glob("docker-*")
    return folder.stat().st_mtime


@pytest.fixture
def version_1(tmp_path: Path, write_files: WriteFiles) -> Path:
    """A tree of version 1 with a container of Docker, in folders as systemd makes them."""
    files = {
        "cpu,cpuacct": {
            "cpuacct.usage": "48123456789\n",
            "cpuacct.stat": "user 3123\nsystem 1688\n",
            "cpu.stat": "nr_periods 52013\nnr_throttled 417\nthrottled_time 9876543210\n",
            "cpu.cfs_quota_us": "150000\n",
            "cpu.cfs_period_us": "100000\n",
        },
        "memory": {
            "memory.usage_in_bytes": "1000000\n",
            "memory.limit_in_bytes": "9223372036854771712\n",
            "memory.stat": "cache 1\nrss 2\npgfault 55\npgmajfault 66\ntotal_cache 300\n"
            "total_rss 400\ntotal_swap 500\ntotal_inactive_file 2000000\n",
            "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n",
        },
        "blkio": {
            "blkio.throttle.io_service_bytes": "8:0 Read 999\n",
            "blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 8192\n"
            "8:0 Sync 1\n8:0 Total 12288\n8:16 Read 0\n8:16 Write 0\nTotal 12288\n",
            "blkio.throttle.io_serviced_recursive": "8:0 Read 3\n8:0 Write 5\nTotal 8\n",
        },
        "pids": {"pids.current": "23\n", "pids.max": "max\n"},
    }
    for controller, found in files.items():
        write_files(tmp_path / f"fs/cgroup/{controller}/docker/{ID}", found)
    return tmp_path / "fs/cgroup"


@pytest.mark.usefixtures("version_1")
def test_values_of_version_1_have_the_same_units(host: Sources) -> None:
    found = containers.collect(host)
    [row] = rows(found).values()
    ticks = os.sysconf("SC_CLK_TCK")
    del row["start_time"]
    assert row == {
        "id": f"/docker/{ID}",
        "name": SHORT,
        "runtime": "docker",
        "cpu_usage": 48.123,
        "cpu_user": 3123 / ticks,
        "cpu_system": 1688 / ticks,
        "cfs_periods": 52013,
        "cfs_throttled_periods": 417,
        "cfs_throttled": 9.877,
        "cpu_quota": 150_000,
        "cpu_period": 100_000,
        "memory_usage": 1_000_000,
        "memory_working_set": 0,
        "memory_rss": 400,
        "memory_cache": 300,
        "memory_swap": 500,
        "page_faults": 55,
        "major_page_faults": 66,
        "oom_kills": 7,
        "threads": 23,
    }
    assert rows(found, "container_disks") == {
        f"/docker/{ID} 8:0": {
            "id": f"/docker/{ID}",
            "device": "8:0",
            "name": SHORT,
            "runtime": "docker",
            "read_bytes": 4096,
            "written_bytes": 8192,
            "reads": 3,
            "writes": 5,
        }
    }
    assert host.skips.count == 0


def test_cgroups_of_version_1_are_those_of_all_controllers(host: Sources, version_1: Path) -> None:
    for controller in ("pids", "memory"):
        (version_1 / f"{controller}/system.slice/cron.service").mkdir(parents=True)
    (version_1 / "pids/system.slice/cron.service/pids.current").write_text("1\n")
    (version_1 / f"blkio/docker/{ID}/blkio.throttle.io_service_bytes_recursive").unlink()
    found = containers.collect(host)
    assert rows(found)["/system.slice/cron.service"]["threads"] == 1
    [disk] = rows(found, "container_disks").values()
    assert disk["read_bytes"] == 999


def test_without_a_quota_nothing_is_throttled(host: Sources, version_1: Path) -> None:
    (version_1 / f"cpu,cpuacct/docker/{ID}/cpu.cfs_quota_us").write_text("-1\n")
    [row] = rows(containers.collect(host)).values()
    of_quota = {"cfs_periods", "cfs_throttled_periods", "cfs_throttled", "cpu_quota", "cpu_period"}
    assert not of_quota & {*row}


@pytest.mark.parametrize(
    ("path", "name", "runtime"),
    [
        (f"/system.slice/docker-{ID}.scope", SHORT, "docker"),
        (f"/docker/{ID}", SHORT, "docker"),
        (f"/docker/{SHORT}", SHORT, "docker"),
        ("/machine.slice/libpod-web.scope", "web", "podman"),
        (f"/machine.slice/libpod-{ID}.scope", SHORT, "podman"),
        (f"/libpod_parent/libpod-{ID}", SHORT, "podman"),
        (f"/user.slice/user@1000.service/user.slice/libpod-{ID}.scope", SHORT, "podman"),
        (f"/system.slice/web.service/libpod-payload-{ID}", SHORT, "podman"),
        (f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", SHORT, "containerd"),
        (f"/kubepods.slice/kubepods-pod1.slice/crio-{ID}.scope", SHORT, "cri-o"),
        (f"/kubepods.slice/kubepods-pod1.slice/cri-{ID}.scope", SHORT, "cri"),
        (f"/kubepods/burstable/pod6f1-2/{ID}", SHORT, "cri"),
        (f"/kubelet/kubepods/burstable/pod6f1-2/{SHORT}", SHORT, "cri"),
        (f"/system.slice/a.slice:cri-containerd:{ID}", SHORT, "containerd"),
        (f"/own/{ID}", SHORT, ""),
        ("/system.slice/nginx.service", "nginx.service", "systemd"),
        ("/system.slice/docker-proxy@a.service", "docker-proxy@a.service", "systemd"),
        (f"/machine.slice/libpod-conmon-{ID}.scope", None, None),
        (f"/machine.slice/crio-conmon-{ID}.scope", None, None),
        (f"/own/{SHORT}", None, None),
        ("/kubepods/burstable/pod6f1-2", None, None),
        ("/user.slice/user-1000.slice/session-1.scope", None, None),
        ("/init.scope", None, None),
        ("/dev-hugepages.mount", None, None),
    ],
)
def test_containers_and_services_are_known_by_their_paths(
    path: str, name: str | None, runtime: str | None
) -> None:
    parent, _, own = path.rpartition("/")
    expected = None if name is None else {"name": name, "runtime": runtime}
    assert containers.identified(parent, own) == expected


def test_services_are_looked_into_and_containers_are_not(host: Sources, tmp_path: Path) -> None:
    user, container = "/user.slice/user@1000.service", f"/system.slice/docker-{ID}.scope"
    make(tmp_path, user, f"{user}/app.slice/mpd.service", f"{user}/user.slice/libpod-{ID}.scope")
    make(tmp_path, container, f"{container}/system.slice/cron.service")
    assert names(host) == {
        container: (SHORT, "docker"),
        f"{user}/user.slice/libpod-{ID}.scope": (SHORT, "podman"),
        user: ("user@1000.service", "systemd"),
        f"{user}/app.slice/mpd.service": ("mpd.service", "systemd"),
    }


def test_processes_in_cgroups_below_count(host: Sources, tmp_path: Path) -> None:
    container = f"/machine.slice/libpod-{ID}.scope"
    make(tmp_path, container, f"{container}/container", f"{container}/container/init.scope")
    folder = tmp_path / f"fs/cgroup{container}"
    (folder / "cgroup.procs").write_text("")
    (folder / "container/cgroup.procs").write_text("17\n")
    (folder / "container/init.scope/cgroup.procs").write_text("4\n5\n")
    [row] = rows(containers.collect(host)).values()
    assert row["processes"] == 3


def test_filters_are_of_the_id_and_the_name(host: Sources, tmp_path: Path) -> None:
    make(tmp_path, "/a/x.service", "/a/y.service", "/b/x.service")
    only = Filter(include=re.compile("^/a/"))
    assert {*names(with_flags(host, id=only)._replace(kept={}))} == {"/a/x.service", "/a/y.service"}
    without = Filter(exclude=re.compile(r"^x\."))
    assert {*names(with_flags(host, name=without)._replace(kept={}))} == {"/a/y.service"}


def test_cgroups_beyond_the_bound_are_counted_and_containers_come_first(
    host: Sources, tmp_path: Path
) -> None:
    make(tmp_path, "/a.service", "/b.service", f"/docker/{ID}")
    bounded = with_flags(host, max=2)
    assert [*names(bounded)] == [f"/docker/{ID}", "/a.service"]
    assert bounded.skips.count == 1
    [(text, _)] = bounded.skips.examples.values()
    assert text.startswith("more than --collector.containers.max")


def test_folders_that_are_looked_into_are_bounded(host: Sources, tmp_path: Path) -> None:
    make(tmp_path, *(f"/{number}/x.service" for number in range(9)))
    assert len(names(host, most_folders=5)) == 4
    assert host.skips.count == 1


def test_tree_is_looked_at_again_after_some_seconds(
    host: Sources, tmp_path: Path, clock: Clock
) -> None:
    make(tmp_path, "/a.service")
    assert {*names(host, clock=clock)} == {"/a.service"}
    make(tmp_path, "/b.service")
    clock.now += containers.RESCAN_SECONDS - 1
    assert {*names(host, clock=clock)} == {"/a.service"}
    clock.now += 1
    assert {*names(host, clock=clock)} == {"/a.service", "/b.service"}


def test_idle_cgroup_is_read_again_with_the_tree(
    host: Sources, tmp_path: Path, clock: Clock
) -> None:
    make(tmp_path, "/a.service")
    folder = tmp_path / "fs/cgroup/a.service"
    read: list[str] = []

    def reading(path: PathLike) -> tuple[bytes, bool]:
        read.append(Path(path).name)
        return read_bytes(path)

    def threads(count: int) -> float | str:
        (folder / "pids.current").write_text(f"{count}\n")
        read.clear()
        [row] = rows(containers.collect(host._replace(read=reading), clock)).values()
        return row["threads"]

    assert threads(3) == 3
    assert threads(4) == 3
    assert read == ["cpu.stat", "memory.current"]
    (folder / "cpu.stat").write_text("usage_usec 7\n")
    assert threads(5) == 5
    (folder / "memory.current").write_text("4096\n")
    assert threads(6) == 6
    clock.now += containers.RESCAN_SECONDS
    assert threads(7) == 6
    clock.now += containers.REREAD_SECONDS
    assert threads(7) == 7


def test_nearly_idle_cgroup_has_fresh_cpu_and_memory(host: Sources, tmp_path: Path) -> None:
    make(tmp_path, "/a.service")
    folder = tmp_path / "fs/cgroup/a.service"

    def row(cpu: int, memory: int, threads: int) -> tuple[float | str, ...]:
        (folder / "cpu.stat").write_text(f"usage_usec {cpu}\nuser_usec {cpu}\n")
        (folder / "memory.current").write_text(f"{memory}\n")
        (folder / "memory.stat").write_text(f"inactive_file 1000\nanon {threads}\n")
        (folder / "pids.current").write_text(f"{threads}\n")
        [found] = rows(containers.collect(host)).values()
        columns = ("cpu_usage", "cpu_user", "memory_usage", "memory_working_set", "threads")
        return tuple(found[column] for column in columns)

    assert row(1_000_000, 4096, 1) == (1, 1, 4096, 3096, 1)
    assert row(1_006_000, 8192, 2) == (1.006, 1.006, 8192, 7192, 1)
    assert row(1_012_000, 8192, 3) == (1.012, 1.012, 8192, 7192, 3)  # since it was read in full
    assert row(1_012_000, 8192 + 2**21, 4) == (1.012, 1.012, 8192 + 2**21, 7192 + 2**21, 4)
    assert row(1_011_000, 4096, 5) == (1.011, 1.011, 4096, 3096, 5)  # it was started again


def test_cgroup_that_was_made_again_is_read_in_full(
    host: Sources, tmp_path: Path, clock: Clock
) -> None:
    make(tmp_path, "/a.service")
    folder = tmp_path / "fs/cgroup/a.service"
    for start in (2_000, 3_000):
        (folder / "pids.max").write_text(f"{start}\n")
        os.utime(folder, (start, start))
        [row] = rows(containers.collect(host, clock)).values()
        assert (row["start_time"], row["threads_max"]) == (start, start)
        clock.now += containers.RESCAN_SECONDS


def test_devices_of_services_that_ran_before_are_reported_once_bytes_are_moved(
    host: Sources, tmp_path: Path, clock: Clock
) -> None:
    make(tmp_path, "/a.service", f"/docker/{ID}")

    def devices(cpu: int, read: int) -> set[str]:
        for folder in (tmp_path / "fs/cgroup").rglob("cpu.stat"):
            folder.write_text(f"usage_usec {cpu}000000\n")
            (folder.parent / "io.stat").write_text(f"8:0 rbytes={read} wbytes=0 rios=9 wios=0\n")
        return {*rows(containers.collect(host, clock), "container_disks")}

    assert devices(1, 5) == {f"/docker/{ID} 8:0"}
    assert devices(2, 5) == {f"/docker/{ID} 8:0"}
    both = {f"/docker/{ID} 8:0", "/a.service 8:0"}
    assert devices(3, 6) == both
    assert devices(4, 6) == both
    make(tmp_path, "/b.service")
    clock.now += containers.RESCAN_SECONDS
    assert devices(5, 6) == {*both, "/b.service 8:0"}


def test_columns_that_are_0_everywhere_are_left_out_until_they_are_not(
    host: Sources, tmp_path: Path
) -> None:
    make(tmp_path, "/a.service", "/b.service")
    file = tmp_path / "fs/cgroup/a.service/memory.swap.current"

    def swapped(cpu: int, swap: int) -> list[float | str | None]:
        for folder in (tmp_path / "fs/cgroup").iterdir():
            (folder / "cpu.stat").write_text(f"usage_usec {cpu}000000\n")
            (folder / "memory.swap.current").write_text("0\n")
        file.write_text(f"{swap}\n")
        return [row.get("memory_swap") for row in rows(containers.collect(host)).values()]

    assert swapped(1, 0) == [None, None]
    assert swapped(2, 4096) == [4096, 0]
    assert swapped(3, 0) == [0, 0]


def test_cgroup_that_vanishes_while_it_is_read_costs_only_itself(
    host: Sources, tmp_path: Path
) -> None:
    make(tmp_path, "/a.service", "/b.service", "/c.service")

    def read(path: PathLike) -> tuple[bytes, bool]:
        if "/b.service/" in os.fspath(path):
            for file in (tmp_path / "fs/cgroup/b.service").iterdir():
                file.unlink()
        return read_bytes(path)

    found = rows(containers.collect(host._replace(read=read)))
    assert {*found} == {"/a.service", "/c.service"}
    assert found["/c.service"]["cpu_usage"] == 3
    assert host.skips.count == 0


def test_devices_without_counts_may_precede_one_in_its_line(host: Sources, tmp_path: Path) -> None:
    make(tmp_path, f"/docker/{ID}")
    text = "7:0 7:1 8:0 rbytes=5 wbytes=0 rios=1 wios=0\n8:1 rbytes=0 wbytes=0 rios=0 wios=0\n"
    (tmp_path / f"fs/cgroup/docker/{ID}/io.stat").write_text(text)
    assert {*rows(containers.collect(host), "container_disks")} == {f"/docker/{ID} 8:0"}
    assert host.skips.count == 0


def test_working_set_is_unknown_without_inactive_pages(host: Sources, tmp_path: Path) -> None:
    make(tmp_path, "/a.service")
    (tmp_path / "fs/cgroup/a.service/memory.current").write_text("4096\n")
    [row] = rows(containers.collect(host)).values()
    assert row["memory_usage"] == 4096
    assert "memory_working_set" not in row
