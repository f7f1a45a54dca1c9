"""Open families: names, labels, types and HELP texts that hosts choose."""

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pombo_exporter.metrics.capture import GROUP_FROM
from pombo_wire import MAX_DATAGRAM_BYTES, DecodeError, OpenFamily, Report, encode
from support.builders import Agent, Exporter
from support.model import all_reported, plain

Kind = Literal["gauge", "counter"]
Columns = dict[str, tuple[float | None, ...]]


def heads(exposition: str) -> dict[str, tuple[str, str]]:
    """Return the type and the HELP text of each family."""
    texts: dict[str, str] = {}
    found = {}
    for line in exposition.split("\n"):
        if line.startswith("# HELP "):
            _, _, name, text = line.split(" ", 3)
            assert name not in texts, f"{name} is not in one piece"
            texts[name] = text
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            found[name] = kind, texts[name]
    return found


def types(exporter: Exporter, *, openmetrics: bool = False) -> dict[str, str]:
    """Return the types of the families that hosts named."""
    exposition = exporter.exposition(openmetrics=openmetrics)
    own = "pombo_host_", "host_"
    return {name: kind for name, (kind, _) in heads(exposition).items() if not name.startswith(own)}


def with_family(name: str, kind: Kind, value: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"families": {name: OpenFamily(kind, values=(value,), **more)}}


def test_families_with_and_without_labels_have_the_samples_that_were_sent() -> None:
    rooms: dict[str, tuple[str, ...]] = {"room": ("a", 'b"'), "floor": ("1", "2")}
    families = {
        "humidity_ratio": OpenFamily("gauge", "Humidity.", rooms, values=(0.25, None)),
        "node_xfs_*": OpenFamily(
            "counter",
            ("Reads.", "Writes."),
            {"device": ("sda1", "sdb1")},
            columns={"reads_total": (1.0, 2.0), "writes_total": (None, 3.0)},
        ),
        "*": OpenFamily("gauge", columns={"room_temperature_celsius": (21.5,), "x": (-1.0,)}),
    }
    agent = Agent()
    agent.send(families=families)
    assert plain(agent.exporter.samples()) == all_reported(agent.report(families=families))
    assert heads(agent.exporter.exposition())["node_xfs_writes_total"] == ("counter", "Writes.")


def test_family_is_in_one_piece_whatever_section_each_host_has_it_in() -> None:
    exporter = Exporter()
    device: dict[str, tuple[str, ...]] = {"device": ("sda",)}
    sent: list[dict[str, Any]] = [
        {"families": {"a_b_c": OpenFamily("gauge", labels=device, values=(1.0,))}},
        {"families": {"a_*_c": OpenFamily("gauge", labels=device, columns={"b": (2.0,)})}},
        {"families": {"a_b_*": OpenFamily("gauge", columns={"c": (3.0,), "d": (4.0,)})}},
        {"gauges": {"a_b_d": 5.0, "other": 6.0}},
        {"gauges": {"other": 7.0}},
    ]
    for number, sections in enumerate(sent):
        Agent(exporter, f"host-{number}").send(**sections)
    assert {*types(exporter)} == {"a_b_c", "a_b_d", "other"}
    found = exporter.samples_by_host()
    for number, sections in enumerate(sent):
        expected = all_reported(Report("x", **sections))
        assert plain(found[f"host-{number}"]) == expected


def test_meminfo_of_other_systems_is_in_the_same_families() -> None:
    exporter = Exporter()
    Agent(exporter, "linux").send(meminfo={"Active_bytes": 1.0})
    columns: Columns = {"Active_bytes": (2.0,), "Wired_bytes": (3.0,)}
    other = OpenFamily("gauge", ("Active.", "Wired."), columns=columns)
    Agent(exporter, "other").send(families={"node_memory_*": other})
    found = exporter.samples_by_host()
    assert found["linux"]["node_memory_Active_bytes", ()] == 1
    assert found["other"]["node_memory_Active_bytes", ()] == 2
    texts = heads(exporter.exposition())
    assert texts["node_memory_Active_bytes"] == (
        "gauge",
        "Memory information field Active_bytes.",
    )
    assert texts["node_memory_Wired_bytes"] == ("gauge", "Wired.")


def test_hosts_with_any_gauges_of_their_own_have_these() -> None:
    exporter = Exporter()
    expected = {}
    for number in range(300):
        gauges = {f"own_{number % 7}": float(number), f"own_{number % 5 + 10}": 1.0, "all": 2.0}
        Agent(exporter, f"host-{number}").send_parts({"gauges": gauges}, packed=True)
        expected[f"host-{number}"] = {(name, ()): value for name, value in gauges.items()}
    found = exporter.samples_by_host()
    assert {host: plain(samples) for host, samples in found.items()} == expected


# --- types ---


def test_family_of_which_hosts_send_two_types_is_untyped_until_they_agree() -> None:
    exporter = Exporter()
    one, other = Agent(exporter, "one"), Agent(exporter, "other")
    one.send(**with_family("x_total", "counter"))
    assert types(exporter) == {"x_total": "counter"}
    other.send(**with_family("x_total", "gauge", 2.0))
    assert types(exporter) == {"x_total": "untyped"}
    assert types(exporter, openmetrics=True) == {"x_total": "unknown"}
    found = exporter.samples_by_host()
    assert [found[host]["x_total", ()] for host in ("one", "other")] == [1, 2]
    other.send(bye=True)
    assert types(exporter) == {"x_total": "counter"}


def test_map_that_a_host_sends_as_another_type_is_untyped() -> None:
    exporter = Exporter()
    Agent(exporter, "linux").send(meminfo={"Active_bytes": 1.0})
    Agent(exporter, "other").send(**with_family("node_memory_Active_bytes", "counter"))
    assert types(exporter)["node_memory_Active_bytes"] == "untyped"


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        ({"x_total": "counter"}, {"x": "counter"}),
        ({"x": "counter"}, {"x": "unknown"}),
        ({"x_total": "gauge"}, {"x_total": "gauge"}),
        ({"x_total": "counter", "x": "gauge"}, {"x_total": "unknown", "x": "gauge"}),
        ({"x_total": "counter", "x": "counter"}, {"x_total": "unknown", "x": "unknown"}),
        (
            {"x_total": "counter", "x_created": "gauge"},
            {"x_total": "unknown", "x_created": "gauge"},
        ),
        (
            {"x_total": "counter", "x_created_total": "counter"},
            {"x_total": "unknown", "x_created": "counter"},
        ),
        # A gauge of the table has the name that OpenMetrics gives this counter.
        ({"node_load1_total": "counter"}, {"node_load1_total": "unknown"}),
    ],
)
def test_counter_is_unknown_in_openmetrics_where_its_name_is_that_of_another_family(
    families: dict[str, Kind], expected: dict[str, str]
) -> None:
    agent = Agent()
    agent.send(families={name: OpenFamily(kind, values=(1.0,)) for name, kind in families.items()})
    assert types(agent.exporter, openmetrics=True) == expected
    assert types(agent.exporter) == dict(families)
    assert {name for name, _ in plain(agent.exporter.samples())} == {*families}


NAMES = [
    stem + suffix
    for stem in ("a", "a_b", "node_load1", "node_forks")
    for suffix in ("", "_total", "_created", "_created_total", "_count", "_info")
]


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["gauge", "counter"]), min_size=1))
def test_families_of_any_names_are_valid_in_openmetrics(families: dict[str, Kind]) -> None:
    exporter = Exporter()
    sent = {}
    for number, (name, kind) in enumerate(families.items()):
        try:
            Agent(exporter, f"host-{number}").send(**with_family(name, kind), system=None)
        except DecodeError:  # the table has this family
            continue
        sent[f"host-{number}"] = name
    for host, samples in exporter.samples_by_host().items():
        assert plain(samples) == {(sent[host], ()): 1}


@pytest.mark.parametrize(
    "name", ["node_load1", "node_forks_total", "node_forks", "node_forks_created", "host_load1"]
)
def test_family_of_the_table_cannot_be_sent_as_an_open_one(name: str) -> None:
    with pytest.raises(DecodeError):
        Agent().send(**with_family(name, "gauge"))


# --- HELP texts ---


def test_help_is_the_first_that_a_host_has_sent() -> None:
    exporter = Exporter()
    Agent(exporter, "without").send(**with_family("x", "gauge"))
    assert heads(exporter.exposition())["x"] == ("gauge", "Open family that hosts sent.")
    Agent(exporter, "with").send(**with_family("x", "gauge", help="Depth of the well."))
    assert heads(exporter.exposition())["x"] == ("gauge", "Depth of the well.")


@pytest.mark.parametrize(
    ("text", "shown", "shown_in_openmetrics"),
    [
        ('say "x"', 'say "x"', r"say \"x\""),
        ("back\\slash", r"back\\slash", r"back\\slash"),
        ("\\n", r"\\n", r"\\n"),
        ("é\u2028 # HELP y z", "é\u2028 # HELP y z", "é\u2028 # HELP y z"),
    ],
)
def test_help_is_escaped_as_the_format_demands(
    text: str, shown: str, shown_in_openmetrics: str
) -> None:
    agent = Agent()
    agent.send(**with_family("x", "gauge", help=text))
    assert heads(agent.exporter.exposition())["x"] == ("gauge", shown)
    opened = agent.exporter.exposition(openmetrics=True)
    assert heads(opened)["x"] == ("gauge", shown_in_openmetrics)
    agent.exporter.samples()  # both formats are parsed


# --- what scripts send ---


def test_gauge_of_a_script_expires_and_those_of_others_stay() -> None:
    exporter = Exporter()
    agent = Agent(exporter)
    agent.send_parts({"gauges": {"own": 1.0}})
    exporter.take(Report("pi", interval=1.0, gauges={"short": 2.0}))
    exporter.take(Report("pi", interval=60.0, gauges={"long": 3.0}))
    assert {*plain(exporter.samples())} == {("own", ()), ("short", ()), ("long", ())}
    exporter.now += 3  # without a sweep
    agent.send_parts({"gauges": {"own": 1.0}})
    assert {*plain(exporter.samples())} == {("own", ()), ("long", ())}


def test_many_hosts_with_families_of_many_columns_are_read_grouped_and_mixed() -> None:
    exporter = Exporter()
    expected = {}
    for number in range(GROUP_FROM + 20):
        names = [f"c{column}" for column in range(40 if number % 10 else 39)]
        columns: Columns = {name: (float(number), 1.0) for name in names}
        devices = ("a", "b") if number % 3 else ("a", f"b{number}")
        family = OpenFamily("gauge", labels={"device": devices}, columns=columns)
        report = Report(f"host-{number}", families={"many_*": family})
        assert len(encode(report)) <= MAX_DATAGRAM_BYTES
        exporter.take(report)
        expected[f"host-{number}"] = all_reported(report)
    found = exporter.samples_by_host()
    assert {host: plain(samples) for host, samples in found.items()} == expected
