"""IPsec: packets that were dropped, by the cause."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import families

# Name in /proc/net/xfrm_stat: family and its HELP text.
_COUNTERS = {
    "XfrmInError": ("in_error", "All errors not matched by other"),
    "XfrmInBufferError": ("in_buffer_error", "No buffer is left"),
    "XfrmInHdrError": ("in_hdr_error", "Header error"),
    "XfrmInNoStates": (
        "in_no_states",
        "No state is found i.e. Either inbound SPI, address, or IPsec protocol at SA is wrong",
    ),
    "XfrmInStateProtoError": (
        "in_state_proto_error",
        "Transformation protocol specific error e.g. SA key is wrong",
    ),
    "XfrmInStateModeError": ("in_state_mode_error", "Transformation mode specific error"),
    "XfrmInStateSeqError": (
        "in_state_seq_error",
        "Sequence error i.e. Sequence number is out of window",
    ),
    "XfrmInStateExpired": ("in_state_expired", "State is expired"),
    "XfrmInStateMismatch": (
        "in_state_mismatch",
        "State has mismatch option e.g. UDP encapsulation type is mismatch",
    ),
    "XfrmInStateInvalid": ("in_state_invalid", "State is invalid"),
    "XfrmInTmplMismatch": (
        "in_tmpl_mismatch",
        "No matching template for states e.g. Inbound SAs are correct but SP rule is wrong",
    ),
    "XfrmInNoPols": (
        "in_no_pols",
        "No policy is found for states e.g. Inbound SAs are correct but no SP is found",
    ),
    "XfrmInPolBlock": ("in_pol_block", "Policy discards"),
    "XfrmInPolError": ("in_pol_error", "Policy error"),
    "XfrmOutError": ("out_error", "All errors which is not matched others"),
    "XfrmOutBundleGenError": ("out_bundle_gen_error", "Bundle generation error"),
    "XfrmOutBundleCheckError": ("out_bundle_check_error", "Bundle check error"),
    "XfrmOutNoStates": ("out_no_states", "No state is found"),
    "XfrmOutStateProtoError": (
        "out_state_proto_error",
        "Transformation protocol specific error",
    ),
    "XfrmOutStateModeError": ("out_state_mode_error", "Transformation mode specific error"),
    "XfrmOutStateSeqError": (
        "out_state_seq_error",
        "Sequence error i.e. Sequence number overflow",
    ),
    "XfrmOutStateExpired": ("out_state_expired", "State is expired"),
    "XfrmOutPolBlock": ("out_pol_block", "Policy discards"),
    "XfrmOutPolDead": ("out_pol_dead", "Policy is dead"),
    "XfrmOutPolError": ("out_pol_error", "Policy error"),
    "XfrmFwdHdrError": ("fwd_hdr_error", "Forward routing of a packet is not allowed"),
    "XfrmOutStateInvalid": ("out_state_invalid", "State is invalid, perhaps expired"),
    "XfrmAcquireError": (
        "acquire_error",
        "State hasn\N{RIGHT SINGLE QUOTATION MARK}t been fully acquired before use",
    ),
}
_HELPS = dict(_COUNTERS.values())


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_xfrm_*_packets_total``."""
    counts = parse_xfrm_stat(sources.proc_of_init("net/xfrm_stat"))
    return families("node_xfrm_*_packets_total", "counter", _HELPS, (), [counts])


def parse_xfrm_stat(file: File) -> dict[str, float | None]:
    """Return the counts of ``/proc/net/xfrm_stat`` that are known. Older kernels have fewer."""
    found: dict[str, float | None] = {}
    for name, value, *_ in file.words(2):
        known = _COUNTERS.get(decoded(name))
        if known:
            found[known[0]] = file.number(value)
    return found


COLLECTORS = [Collector("xfrm", collect, enabled=False)]
