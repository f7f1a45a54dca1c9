"""InfiniBand: state and counters of each port."""

import os.path
from collections.abc import Iterator, Mapping

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, families, family

_INFO = "Non-numeric data from /sys/class/infiniband/<device>, value is always 1."
_TEXTS = {"board_id": "board_id", "fw_ver": "firmware_version", "hca_type": "hca_type"}

_GAUGES = {
    "state_id": "State of the InfiniBand port (0: no change, 1: down, 2: init, 3: armed, "
    "4: active, 5: act defer)",
    "physical_state_id": "Physical state of the InfiniBand port (0: no change, 1: sleep, "
    "2: polling, 3: disable, 4: shift, 5: link up, 6: link error recover, 7: phytest)",
    "rate_bytes_per_second": "Maximum signal transfer rate",
    "lifespan_seconds": "The maximum period in ms which defines the aging of the counter reads. "
    "Two consecutive reads within this period might return the same values.",
}

# File in a folder of a port: family and its HELP text. Data are counted in units of four bytes.
_COUNTERS = {
    "excessive_buffer_overrun_errors": (
        "excessive_buffer_overrun_errors",
        (
            "Number of times that OverrunErrors consecutive flow control update periods occurred, "
            "each having at least one overrun error."
        ),
    ),
    "link_downed": (
        "link_downed",
        "Number of times the link failed to recover from an error state and went down",
    ),
    "link_error_recovery": (
        "link_error_recovery",
        "Number of times the link successfully recovered from an error state",
    ),
    "local_link_integrity_errors": (
        "local_link_integrity_errors",
        (
            "Number of times that the count of local physical errors exceeded the threshold "
            "specified by LocalPhyErrors."
        ),
    ),
    "multicast_rcv_packets": (
        "multicast_packets_received",
        "Number of multicast packets received (including errors)",
    ),
    "multicast_xmit_packets": (
        "multicast_packets_transmitted",
        "Number of multicast packets transmitted (including errors)",
    ),
    "port_rcv_constraint_errors": (
        "port_constraint_errors_received",
        "Number of packets received on the switch physical port that are discarded",
    ),
    "port_xmit_constraint_errors": (
        "port_constraint_errors_transmitted",
        "Number of packets not transmitted from the switch physical port",
    ),
    "port_rcv_data": ("port_data_received_bytes", "Number of data octets received on all links"),
    "port_xmit_data": (
        "port_data_transmitted_bytes",
        "Number of data octets transmitted on all links",
    ),
    "port_rcv_discards": (
        "port_discards_received",
        "Number of inbound packets discarded by the port because the port is down or congested",
    ),
    "port_xmit_discards": (
        "port_discards_transmitted",
        "Number of outbound packets discarded by the port because the port is down or congested",
    ),
    "port_rcv_errors": (
        "port_errors_received",
        "Number of packets containing an error that were received on this port",
    ),
    "port_rcv_packets": (
        "port_packets_received",
        "Number of packets received on all VLs by this port (including errors)",
    ),
    "port_xmit_packets": (
        "port_packets_transmitted",
        "Number of packets transmitted on all VLs from this port (including errors)",
    ),
    "port_xmit_wait": (
        "port_transmit_wait",
        (
            "Number of ticks during which the port had data to transmit but no data was sent "
            "during the entire tick"
        ),
    ),
    "unicast_rcv_packets": (
        "unicast_packets_received",
        "Number of unicast packets received (including errors)",
    ),
    "unicast_xmit_packets": (
        "unicast_packets_transmitted",
        "Number of unicast packets transmitted (including errors)",
    ),
    "port_rcv_remote_physical_errors": (
        "port_receive_remote_physical_errors",
        "Number of packets marked with the EBP (End of Bad Packet) delimiter received on the port.",
    ),
    "port_rcv_switch_relay_errors": (
        "port_receive_switch_relay_errors",
        "Number of packets that could not be forwarded by the switch.",
    ),
    "symbol_error": (
        "symbol_error",
        "Number of minor link errors detected on one or more physical lanes.",
    ),
    "VL15_dropped": (
        "vl15_dropped",
        "Number of incoming VL15 packets dropped due to resource limitations.",
    ),
}
_LEGACY = {  # kernels before 4.5
    "port_multicast_rcv_packets": (
        "legacy_multicast_packets_received",
        "Number of multicast packets received",
    ),
    "port_multicast_xmit_packets": (
        "legacy_multicast_packets_transmitted",
        "Number of multicast packets transmitted",
    ),
    "port_rcv_data_64": (
        "legacy_data_received_bytes",
        "Number of data octets received on all links",
    ),
    "port_rcv_packets_64": (
        "legacy_packets_received",
        "Number of data packets received on all links",
    ),
    "port_unicast_rcv_packets": (
        "legacy_unicast_packets_received",
        "Number of unicast packets received",
    ),
    "port_unicast_xmit_packets": (
        "legacy_unicast_packets_transmitted",
        "Number of unicast packets transmitted",
    ),
    "port_xmit_data_64": (
        "legacy_data_transmitted_bytes",
        "Number of data octets transmitted on all links",
    ),
    "port_xmit_packets_64": (
        "legacy_packets_transmitted",
        "Number of data packets received on all links",
    ),
}
_HARDWARE = {  # of some drivers; node_exporter 1.5 does not have these yet
    "duplicate_request": (
        "duplicate_requests_packets",
        (
            "The number of received packets. A duplicate request is a request that had been "
            "previously executed."
        ),
    ),
    "implied_nak_seq_err": (
        "implied_nak_seq_errors",
        (
            "The number of time the requested decided an ACK. with a PSN larger than the expected "
            "PSN for an RDMA read or response."
        ),
    ),
    "local_ack_timeout_err": (
        "local_ack_timeout_errors",
        (
            "The number of times QP's ack timer expired for RC, XRC, DCT QPs at the sender side. "
            "The QP retry limit was not exceed, therefore it is still recoverable error."
        ),
    ),
    "np_cnp_sent": (
        "np_cnp_packets_sent",
        (
            "The number of CNP packets sent by the Notification Point when it noticed congestion "
            "experienced in the RoCEv2 IP header (ECN bits). The counters was added in MLNX_OFED "
            "4.1"
        ),
    ),
    "np_ecn_marked_roce_packets": (
        "np_ecn_marked_roce_packets_received",
        (
            "The number of RoCEv2 packets received by the notification point which were marked "
            "for experiencing the congestion (ECN bits where '11' on the ingress RoCE traffic) . "
            "The counters was added in MLNX_OFED 4.1"
        ),
    ),
    "out_of_buffer": (
        "out_of_buffer_drops",
        "The number of drops occurred due to lack of WQE for the associated QPs.",
    ),
    "out_of_sequence": (
        "out_of_sequence_packets_received",
        "The number of out of sequence packets received.",
    ),
    "packet_seq_err": (
        "packet_sequence_errors",
        "The number of received NAK sequence error packets. The QP retry limit was not exceeded.",
    ),
    "req_cqe_error": (
        "req_cqes_errors",
        (
            "The number of times requester detected CQEs completed with errors. The counters was "
            "added in MLNX_OFED 4.1"
        ),
    ),
    "req_cqe_flush_error": (
        "req_cqes_flush_errors",
        (
            "The number of times requester detected CQEs completed with flushed errors. The "
            "counters was added in MLNX_OFED 4.1"
        ),
    ),
    "req_remote_access_errors": (
        "req_remote_access_errors",
        (
            "The number of times requester detected remote access errors. The counters was added "
            "in MLNX_OFED 4.1"
        ),
    ),
    "req_remote_invalid_request": (
        "req_remote_invalid_request_errors",
        (
            "The number of times requester detected remote invalid request errors. The counters "
            "was added in MLNX_OFED 4.1"
        ),
    ),
    "resp_cqe_error": (
        "resp_cqes_errors",
        (
            "The number of times responder detected CQEs completed with errors. The counters was "
            "added in MLNX_OFED 4.1"
        ),
    ),
    "resp_cqe_flush_error": (
        "resp_cqes_flush_errors",
        (
            "The number of times responder detected CQEs completed with flushed errors. The "
            "counters was added in MLNX_OFED 4.1"
        ),
    ),
    "resp_local_length_error": (
        "resp_local_length_errors",
        (
            "The number of times responder detected local length errors. The counters was added "
            "in MLNX_OFED 4.1"
        ),
    ),
    "resp_remote_access_errors": (
        "resp_remote_access_errors",
        (
            "The number of times responder detected remote access errors. The counters was added "
            "in MLNX_OFED 4.1"
        ),
    ),
    "rnr_nak_retry_err": (
        "rnr_nak_retry_packets_received",
        "The number of received RNR NAK packets. The QP retry limit was not exceeded.",
    ),
    "roce_adp_retrans": (
        "roce_adp_retransmits",
        (
            "The number of adaptive retransmissions for RoCE traffic. The counter was added in "
            "MLNX_OFED rev 5.0-1.0.0.0 and kernel v5.6.0"
        ),
    ),
    "roce_adp_retrans_to": (
        "roce_adp_retransmits_timeout",
        (
            "The number of times RoCE traffic reached timeout due to adaptive retransmission. The "
            "counter was added in MLNX_OFED rev 5.0-1.0.0.0 and kernel v5.6.0"
        ),
    ),
    "roce_slow_restart": (
        "roce_slow_restart_used",
        (
            "The number of times RoCE slow restart was used. The counter was added in MLNX_OFED "
            "rev 5.0-1.0.0.0 and kernel v5.6.0"
        ),
    ),
    "roce_slow_restart_cnps": (
        "roce_slow_restart_cnps",
        (
            "The number of times RoCE slow restart generated CNP packets. The counter was added "
            "in MLNX_OFED rev 5.0-1.0.0.0 and kernel v5.6.0"
        ),
    ),
    "roce_slow_restart_trans": (
        "roce_slow_restart",
        (
            "The number of times RoCE slow restart changed state to slow restart. The counter was "
            "added in MLNX_OFED rev 5.0-1.0.0.0 and kernel v5.6.0"
        ),
    ),
    "rp_cnp_handled": (
        "rp_cnp_packets_handled",
        (
            "The number of CNP packets handled by the Reaction Point HCA to throttle the "
            "transmission rate. The counters was added in MLNX_OFED 4.1"
        ),
    ),
    "rp_cnp_ignored": (
        "rp_cnp_ignored_packets_received",
        (
            "The number of CNP packets received and ignored by the Reaction Point HCA. This "
            "counter should not raise if RoCE Congestion Control was enabled in the network. If "
            "this counter raise, verify that ECN was enabled on the adapter."
        ),
    ),
    "rx_atomic_requests": (
        "rx_atomic_requests",
        "The number of received ATOMIC request for the associated QPs.",
    ),
    "rx_dct_connect": (
        "rx_dct_connect_requests",
        "The number of received connection requests for the associated DCTs.",
    ),
    "rx_read_requests": (
        "rx_read_requests",
        "The number of received READ requests for the associated QPs.",
    ),
    "rx_write_requests": (
        "rx_write_requests",
        "The number of received WRITE requests for the associated QPs.",
    ),
    "rx_icrc_encapsulated": (
        "rx_icrc_encapsulated_errors",
        (
            "The number of RoCE packets with ICRC errors. This counter was added in MLNX_OFED 4.4 "
            "and kernel 4.19"
        ),
    ),
}
_FOLDERS = {"counters": _COUNTERS, "counters_ext": _LEGACY, "hw_counters": _HARDWARE}
_HELPS = {column: text for files in _FOLDERS.values() for column, text in files.values()}

_WORDS = {"port_rcv_data", "port_xmit_data", "port_rcv_data_64", "port_xmit_data_64"}
_WORD_BYTES = 4
_WRAP = 2**64  # at which node_exporter's bytes start again
_NO_COUNTER = b"N/A (no PMA)"
_GIGABIT_BYTES = 125_000_000


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_infiniband_*``."""
    classes = f"{sources.sysfs}/class/infiniband"
    if not os.path.isdir(classes):
        raise NoDataError("no InfiniBand device")
    devices: list[tuple[Cell, ...]] = []
    rows: list[Row] = []
    for device in sources.names(classes):
        path = f"{classes}/{device}"
        texts = sources.texts(path, _TEXTS)
        devices.append((device, *(texts.get(name, "") for name in _TEXTS), 1))
        ports = [port for port in sources.names(f"{path}/ports") if port.isdigit()]
        rows += ({"device": device, "port": port, **_port(sources, path, port)} for port in ports)
    keys = ("device", "port")
    return [
        *family("node_infiniband_info", "gauge", _INFO, ("device", *_TEXTS.values()), devices),
        *families("node_infiniband_*", "gauge", _GAUGES, keys, rows),
        *families("node_infiniband_*_total", "counter", _HELPS, keys, rows),
    ]


def _port(sources: Sources, device: str, port: str) -> dict[str, float | None]:
    """Return what a port has; a value that its driver does not have is ``None``."""
    path = f"{device}/ports/{port}"
    rate = _first(sources, f"{path}/rate", b" ")  # such as "100 Gb/sec (4X EDR)"
    lifespan = sources.value(f"{path}/hw_counters/lifespan")
    return {
        "state_id": _first(sources, f"{path}/state", b":"),  # such as "4: ACTIVE"
        "physical_state_id": _first(sources, f"{path}/phys_state", b":"),
        "rate_bytes_per_second": None if rate is None else rate * _GIGABIT_BYTES,
        "lifespan_seconds": None if lifespan is None else lifespan // 1000,
        **{
            column: value
            for folder, files in _FOLDERS.items()
            for column, value in _counters(sources, f"{path}/{folder}", files)
        },
    }


def _counters(
    sources: Sources, path: str, files: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, float | None]]:
    for name in sources.names(path):
        if name in files:
            file = sources.optional(f"{path}/{name}")
            if file is not None and _NO_COUNTER not in file.data:
                value = file.value
                if value is not None and name in _WORDS:
                    value = value * _WORD_BYTES % _WRAP
                yield files[name][0], value


def _first(sources: Sources, path: str, separator: bytes) -> float | None:
    """Return the number before a separator in a file."""
    file = sources.optional(path)
    return None if file is None else file.number(file.data.partition(separator)[0])


COLLECTORS = [Collector("infiniband", collect)]
