"""The collector ``xfrm``, which node_exporter 1.5 does not have."""

from collections.abc import Callable
from pathlib import Path

from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import xfrm

WriteFiles = Callable[[Path, dict[str, str]], Path]

# The counters in the order of the kernel, and what follows node_xfrm_ in the name of the family.
NAMES = {
    "XfrmInError": "in_error",
    "XfrmInBufferError": "in_buffer_error",
    "XfrmInHdrError": "in_hdr_error",
    "XfrmInNoStates": "in_no_states",
    "XfrmInStateProtoError": "in_state_proto_error",
    "XfrmInStateModeError": "in_state_mode_error",
    "XfrmInStateSeqError": "in_state_seq_error",
    "XfrmInStateExpired": "in_state_expired",
    "XfrmInStateMismatch": "in_state_mismatch",
    "XfrmInStateInvalid": "in_state_invalid",
    "XfrmInTmplMismatch": "in_tmpl_mismatch",
    "XfrmInNoPols": "in_no_pols",
    "XfrmInPolBlock": "in_pol_block",
    "XfrmInPolError": "in_pol_error",
    "XfrmOutError": "out_error",
    "XfrmOutBundleGenError": "out_bundle_gen_error",
    "XfrmOutBundleCheckError": "out_bundle_check_error",
    "XfrmOutNoStates": "out_no_states",
    "XfrmOutStateProtoError": "out_state_proto_error",
    "XfrmOutStateModeError": "out_state_mode_error",
    "XfrmOutStateSeqError": "out_state_seq_error",
    "XfrmOutStateExpired": "out_state_expired",
    "XfrmOutPolBlock": "out_pol_block",
    "XfrmOutPolDead": "out_pol_dead",
    "XfrmOutPolError": "out_pol_error",
    "XfrmFwdHdrError": "fwd_hdr_error",
    "XfrmOutStateInvalid": "out_state_invalid",
    "XfrmAcquireError": "acquire_error",
}


def test_counters_that_the_kernel_has_are_reported(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    lines = [f"{name:<24}\t{7 * at}" for at, name in enumerate(NAMES)]
    text = "\n".join([*lines, "XfrmInOfANewerKernel\t3", ""])
    write_files(tmp_path / "1/net", {"xfrm_stat": text})
    [section] = xfrm.collect(this_machine._replace(procfs=tmp_path))
    assert (section.name, section.type) == ("node_xfrm_*_packets_total", "counter")
    found = {name: [*cells] for name, cells in section.columns.items()}
    assert found == {name: [7 * at] for at, name in enumerate(NAMES.values())}
    helps = dict(zip(section.values, section.help, strict=True))
    assert helps["fwd_hdr_error"] == "Forward routing of a packet is not allowed"
    assert helps["out_error"] == "All errors which is not matched others"
    assert helps["acquire_error"].startswith("State hasn\N{RIGHT SINGLE QUOTATION MARK}t been")
