"""The collector ``cpu_vulnerabilities``, which node_exporter 1.5 does not have."""

from collections.abc import Callable
from pathlib import Path

from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import cpu_vulnerabilities
from pombo_wire.section import Section
from support.fixtures import copy_fixture

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_family_is_that_of_node_exporter(this_machine: Sources, tmp_path: Path) -> None:
    copy_fixture("cpu_vulnerabilities", tmp_path / "host")
    found = cpu_vulnerabilities.collect(this_machine._replace(sysfs=tmp_path / "host/sys"))
    assert found == [
        Section(
            "node_cpu_vulnerabilities_info",
            {
                "codename": ("itlb_multihit", "mds", "retbleed", "spectre_v1"),
                "state": ("not affected", "vulnerable", "mitigation", "vulnerable"),
                "mitigation": (
                    "",
                    "Clear CPU buffers attempted, no microcode; SMT vulnerable",
                    "untrained return thunk; SMT enabled with STIBP protection",
                    "",
                ),
            },
            (),
            (1, 1, 1, 1),
            type="gauge",
            help="Details of each CPU vulnerability reported by sysfs. The value of the series is"
            " an int encoded state of the vulnerability. The same state is stored as a string in"
            " the label",
        )
    ]


def test_texts_of_the_kernel_have_a_state(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {
        "a": "KVM: Mitigation: Split huge pages\n",
        "b": "Processor vulnerable\n",
        "c": "Unknown: No mitigations\n",
        "d": "Something new\n",
    }
    write_files(tmp_path / "devices/system/cpu/vulnerabilities", files)
    (section,) = cpu_vulnerabilities.collect(this_machine._replace(sysfs=tmp_path))
    assert section.labels["state"] == ("mitigation", "vulnerable", "unknown", "unknown")
    assert section.labels["mitigation"] == (
        "Split huge pages",
        "",
        "No mitigations",
        "Something new",
    )


def test_older_kernel_is_a_success_without_rows(this_machine: Sources, tmp_path: Path) -> None:
    assert cpu_vulnerabilities.collect(this_machine._replace(sysfs=tmp_path)) == []
