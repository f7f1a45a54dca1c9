"""Servers that are listed in SRV records, by the system's resolver and a real name server."""

from pathlib import Path
from typing import Any

from support.name_servers import srv_targets

NAME = "_pombo._udp.example.test"


def zone(*records: str, **others: Any) -> dict[str, Any]:
    return {"name": NAME, "records": {"SRV": records}, **others}


def test_targets_are_in_the_order_of_their_priorities_and_weights(tmp_path: Path) -> None:
    records = (
        "20 9 5005 spare.example.test.",
        "10 1 5006 Second.Example.test.",
        "10 5 5007 first.example.test.",
        "10 1 5006 second.example.test.",
        "0 0 0 no-port.example.test.",
    )
    expected = ["first.example.test:5007", "second.example.test:5006", "spare.example.test:5005"]
    found = srv_targets(tmp_path, zone(*records), zone(*records[::-1]))
    assert found == [expected, expected]


def test_many_targets_are_read_over_tcp_and_a_short_name_is_searched(tmp_path: Path) -> None:
    servers = [f"pombo-{number}.pombo.monitoring.svc.cluster.local" for number in range(100)]
    many = zone(*(f"0 0 5005 {server}." for server in servers))
    short = {**zone("0 0 5005 a.test."), "name": "_pombo._udp", "of": NAME}
    found = srv_targets(tmp_path, many, short)
    assert found == [sorted(f"{server}:5005" for server in servers), ["a.test:5005"]]


def test_answer_without_a_target_says_why(tmp_path: Path) -> None:
    unknown, without, nowhere = srv_targets(
        tmp_path,
        {"name": NAME, "records": {}},
        {"name": NAME, "records": {"A": ["127.0.0.1"]}},
        zone("0 0 5005 ."),
    )
    assert "the name does not exist" in unknown[0]
    assert "the name has no SRV records" in without[0]
    assert "the name has no SRV records" in nowhere[0]


def test_answer_that_is_cut_off_anywhere_is_an_error(tmp_path: Path) -> None:
    cuts = (1, 30, 48, 60)  # in the name, the data, the record's header, and before it
    record = "0 0 5005 a-server-with-a-long-name.example.test."
    found = srv_targets(tmp_path, *(zone(record, cut=cut) for cut in cuts))
    assert all(len(each) == 1 for each in found)
    assert not any("a-server" in text for [text] in found)
