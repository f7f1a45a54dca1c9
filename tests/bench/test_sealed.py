"""The benchmark's sealed datagrams are those that an exporter accepts, and refuses when forged."""

import pytest
from pombo_wire import MAX_DATAGRAM_BYTES

from bench.harness.fleet import KINDS, Kind, fleet
from bench.harness.in_process import SealedExporter

HOSTS = 20


@pytest.mark.parametrize("kind", KINDS)
def test_sealed_reports_are_accepted_and_others_refused(kind: Kind) -> None:
    exporter, hosts = SealedExporter(), fleet(HOSTS, kind, seals=True)
    count = 0
    for report in range(2):
        sealed = [
            exporter.sealed(sender.host, datagram)
            for sender in hosts.senders
            for datagram in sender.datagrams(report)
        ]
        assert max(map(len, sealed)) <= MAX_DATAGRAM_BYTES
        exporter.take(sealed, report)
        assert exporter.refused == ({"bad_seal": count, "replayed": count} if count else {})
        count += len(sealed)
        exporter.take([each[:-1] + bytes((each[-1] ^ 1,)) for each in sealed], report)
        exporter.take(sealed, report)
    assert exporter.refused == {"bad_seal": count, "replayed": count}
