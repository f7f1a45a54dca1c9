"""The collector ``sysctl``."""

from collections.abc import Callable
from pathlib import Path

from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import sysctl
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]

FILES = {
    "sys/fs/file-nr": "1952\t0\t811765\n",
    "sys/kernel/threads-max": "126508\n",
    "sys/kernel/core_pattern": "|/bin/core %P %u\n",
    "sys/empty": "\n",
}


def collected(sources: Sources, include: tuple[str, ...], info: tuple[str, ...]) -> list[Section]:
    return sysctl.collect(sources._replace(flags=Flags({"include": include, "include-info": info})))


def test_each_form_of_a_flag_has_its_families(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(procfs=write_files(tmp_path, FILES))
    include = ("kernel.threads-max", "fs.file-nr", "fs.file-nr:total,current,max")
    assert collected(sources, include, ("kernel.core_pattern",)) == [
        Section(
            "node_sysctl_kernel_threads_max",
            {},
            (),
            (126508,),
            type="untyped",
            help="sysctl kernel.threads-max",
        ),
        Section(
            "node_sysctl_fs_file_nr",
            {"index": ("0", "1", "2")},
            (),
            (1952, 0, 811765),
            type="untyped",
            help="sysctl fs.file-nr",
        ),
        *(
            Section(
                f"node_sysctl_fs_file_nr_{key}",
                {},
                (),
                (value,),
                type="untyped",
                help=f"sysctl fs.file-nr, field {at}",
            )
            for at, (key, value) in enumerate((("total", 1952), ("current", 0), ("max", 811765)))
        ),
        Section(
            "node_sysctl_info",
            {
                "name": ("kernel.core_pattern",) * 3,
                "value": ("|/bin/core", "%P", "%u"),
                "index": ("0", "1", "2"),
            },
            (),
            (1, 1, 1),
            type="gauge",
            help="sysctl info",
        ),
    ]
    assert sources.skips.count == 0


def test_parameter_that_a_flag_does_not_fit_costs_itself_alone(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(procfs=write_files(tmp_path, FILES))
    include = (
        "fs.file-nr:total,max",
        "kernel.threads-max:a",
        "kernel.core_pattern",
        "empty",
        "no.such",
        "kernel.threads-max",
        "kernel.threads-max",
    )
    found = collected(sources, include, ("kernel.core_pattern:a,b,c", "no.such"))
    assert [section.name for section in found] == ["node_sysctl_kernel_threads_max"]
    assert sources.skips.count == 6
