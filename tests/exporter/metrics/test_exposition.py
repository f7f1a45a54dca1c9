"""The exposition: parsed by prometheus_client, and compared with what prometheus_client writes."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from itertools import count
from math import isfinite
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pombo_exporter.metrics.family import MetricType
from pombo_exporter.runtime.pacing import Pacer, StepClock
from pombo_wire import (
    SECTIONS,
    Cpu,
    DecodeError,
    Memory,
    Record,
    Report,
    Table,
)
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector
from support.builders import (
    INTERVAL,
    SESSION,
    TABLE,
    Agent,
    Exporter,
    Series,
    disks,
)
from support.model import all_reported, plain

HOSTILE = [
    *('say "x"', "back\\slash", "line\nfeed", "\r\n", "\\n", '\\"', "tab\t", "}", "{", ",", "="),
    *(
        "<script>alert(1)</script>",
        "\U0001f426",
        "é",
        "\x00",
        "\x01\x1b[31m",
        "\x7f\x85",
        "\u2028",
        " ",
    ),
    *(" # {} 1", "#", "NaN", "\ufffd\uffff", "x" * 255),
]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TEXTS |= st.sampled_from(HOSTILE)
NUMBERS = st.floats(0, allow_infinity=False)

#: The maps that a host may have next to ``memory`` and ``swap``.
MAP_SECTIONS = {each.section for each in TABLE.maps} - {"meminfo"}


def full(kind: type[Record | Table], value: float = 1.5) -> Any:
    """Return a section with every field: a record, or a table of three rows."""
    texts = kind.label_columns
    numbers = len(kind.__struct_fields__) - texts
    if issubclass(kind, Record):
        return kind(*("text",) * texts, *(value,) * numbers)
    return kind(*(("a", "b", "c"),) * texts, *((value, value + 1, value + 2),) * numbers)


def everything(value: float = 1.5) -> dict[str, Any]:
    """Return all sections that one host may have."""
    sections = {name: full(kind, value) for name, kind in SECTIONS.items()}
    maps = {name: {"some": value, "more": value + 1} for name in sorted(MAP_SECTIONS)}
    return sections | maps


def send_everything(agent: Agent, value: float = 1.5) -> None:
    """Send a report with all sections, each in a datagram of its own."""
    agent.send_parts(*({name: section} for name, section in everything(value).items()))


# --- values are exposed as reported ---


def test_every_section_is_exposed_as_reported() -> None:
    agent = Agent()
    send_everything(agent)
    report = Agent(agent.exporter).report(**everything())
    assert plain(agent.exporter.samples()) == all_reported(report)


def test_every_family_of_the_table_is_exposed() -> None:
    agent = Agent()
    send_everything(agent, 1)
    agent.exporter.wait(5)
    send_everything(agent, 2)
    shown = {name for name, _ in agent.exporter.samples()}
    assert {family.name for family in TABLE.families} <= shown


def test_family_has_its_help_and_type_once_in_each_format() -> None:
    agent = Agent()
    agent.send(cpu=Cpu(("0",), user=(1.0,)), gauges={"x": 1.0}, vmstat={"y": 2.0})
    exposition = agent.exporter.exposition()
    openmetrics = agent.exporter.exposition(openmetrics=True)
    for name, text_type, openmetrics_name, openmetrics_type in (
        ("node_cpu_seconds_total", "counter", "node_cpu_seconds", "counter"),
        ("x", "gauge", "x", "gauge"),
        ("node_vmstat_y", "untyped", "node_vmstat_y", "unknown"),
    ):
        assert exposition.count(f"# TYPE {name} {text_type}\n") == 1
        assert exposition.count(f"# HELP {name} ") == 1
        assert openmetrics.count(f"# TYPE {openmetrics_name} {openmetrics_type}\n") == 1
        assert openmetrics.count(f"# HELP {openmetrics_name} ") == 1


@st.composite
def sections(draw: st.DrawFn) -> dict[str, Any]:
    """Return some sections of a report, with any values that the wire accepts."""
    names = draw(st.lists(st.sampled_from([*SECTIONS]), max_size=3, unique=True))
    found: dict[str, Any] = {}
    for name in names:
        kind = SECTIONS[name]
        count = len(kind.__struct_fields__) - kind.label_columns
        if issubclass(kind, Record):
            texts = [draw(TEXTS) for _ in range(kind.label_columns)]
            values = [draw(st.none() | NUMBERS) for _ in range(count)]
            found[name] = kind(*texts, *values)
        else:
            rows = draw(st.integers(1, 3))
            row_texts = st.tuples(*[TEXTS] * kind.label_columns)
            keys = st.lists(
                row_texts,
                min_size=rows,
                max_size=rows,
                unique_by=lambda row, keys=kind.key_columns: row[:keys],  # type: ignore[misc]  # mypy sees no type of keys
            )
            columns = zip(*draw(keys), strict=True)
            column = st.none() | st.tuples(*[NUMBERS] * rows)
            found[name] = kind(*columns, *[draw(column) for _ in range(count)])
    return found


@settings(max_examples=30)
@given(TEXTS.filter(bool), st.lists(sections(), min_size=1, max_size=3))
def test_any_host_name_and_any_sections_make_a_valid_exposition(
    name: str, reports: list[dict[str, Any]]
) -> None:
    agent = Agent(host=name)
    for parts in reports:
        agent.exporter.wait(1)
        agent.send_parts(*({name: section} for name, section in parts.items()), {})
    exposed = agent.exporter.samples(name)
    assert all(isfinite(value) for value in exposed.values())
    last = all_reported(agent.report(**reports[-1]))
    assert {key: exposed[key] for key in last} == last


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_unchanged_in_any_label(text: str) -> None:
    agent = Agent(host=text)
    agent.send(disks=replace(disks(sda=1), device=(text,), reads=(7.0,)), labels={"rack": text})
    samples = agent.exporter.samples(text)
    assert samples["node_disk_reads_completed_total", (("device", text),)] == 7
    (info,) = [dict(labels) for name, labels in samples if name == "pombo_host_info"]
    assert info["rack"] == text


# --- the same text as that of prometheus_client ---

LINE = re.compile(r"(\w+)\{(.*)\} (\S+)", re.DOTALL)
LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"(?:,|$)', re.DOTALL)


def lines(exposition: str) -> list[Any]:
    """Return the lines, with labels in the order of their names and numbers as floats."""
    found: list[Any] = []
    for line in exposition.removesuffix("\n").split("\n"):
        if line.startswith("#"):
            found.append(line)
            continue
        match = LINE.fullmatch(line)
        assert match is not None, line
        name, labels, value = match.groups()
        assert LABEL.sub("", labels) == "", line
        found.append((name, *sorted(LABEL.findall(labels)), float(value)))
    return found


def heads(lines: list[Any]) -> list[tuple[str, str]]:
    """Return the lines HELP and TYPE of each family; these stand together."""
    found = [line for line in lines if isinstance(line, str) and line != "# EOF"]
    return sorted(zip(found[::2], found[1::2], strict=True))


class Oracle(Collector):
    """The samples of one host, as prometheus_client's own families."""

    def __init__(self, host: str, samples: dict[Series, float]) -> None:
        self._host, self._samples = host, samples

    def collect(self) -> Iterator[Metric]:
        for family in TABLE.families:
            yield from self._family(family.name, family.help, family.type)
        for each in TABLE.maps:
            for name, _ in self._samples:
                if name.startswith(each.prefix):
                    family = each.named(name.removeprefix(each.prefix))
                    yield from self._family(family.name, family.help, family.type)

    def _family(self, name: str, text: str, kind: MetricType) -> Iterator[Metric]:
        found = [(labels, value) for (key, labels), value in self._samples.items() if key == name]
        base = name.removesuffix("_total") if kind is MetricType.COUNTER else name
        metric = Metric(base, text, kind)
        for labels, value in found:
            metric.add_sample(name, {"instance": self._host} | dict(labels), value)
        if found:
            yield metric


@pytest.mark.parametrize("host", ["pi", *HOSTILE])
def test_exposition_is_what_prometheus_client_writes_for_the_same_samples(host: str) -> None:
    agent = Agent(host=host)
    for value in (1e-300, 123_456_789.25, 1e300):
        agent.exporter.wait(5)
        parts = [{name: section} for name, section in everything(value).items()]
        agent.send_parts(*parts, {"labels": {"rack": '"7"\n'}})
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Oracle(host, agent.exporter.samples(host)))
    openmetrics = agent.exporter.exposition(openmetrics=True) + "# EOF\n"
    for exposition, expected in (
        (agent.exporter.exposition(), generate_latest(registry)),
        (openmetrics, generate_openmetrics(registry)),  # type: ignore[no-untyped-call]  # has no types
    ):
        ours, theirs = lines(exposition), lines(expected.decode())
        assert sorted(map(str, ours)) == sorted(map(str, theirs))
        assert heads(ours) == heads(theirs)


# --- several hosts ---


def test_exposition_of_many_hosts_has_the_values_of_each() -> None:
    exporter = Exporter()
    names = [f"host-{number}" for number in range(1_100)]
    expected = {}
    for number, name in enumerate(names):
        parts: dict[str, Any] = {"memory": Memory(total=float(number))}
        if number % 2:
            parts["gauges"] = {"x": float(number), f"only_{number % 5}": 1.0}
        if number % 3:
            parts["disks"] = disks(**{f"sd{row}": float(row) for row in range(number % 7 + 1)})
        report = Agent(exporter, name).report(**parts)
        exporter.take(report)
        expected[name] = all_reported(report)
    found = exporter.samples_by_host()
    assert {name: plain(found[name]) for name in names} == expected


def test_pieces_of_wide_hosts_are_small_where_steps_take_long() -> None:
    exporter = Exporter()
    agents = [Agent(exporter, f"host-{number}") for number in range(20)]
    devices = 16  # as many as fit into a datagram
    for agent in agents:
        agent.send_parts(
            *(
                {"disks": disks(**{f"sd{part}_{row}": row for row in range(devices)})}
                for part in range(20)
            )
        )
    slow = count(step=0.001)  # seconds: every step is too long

    def work(steps: StepClock) -> Iterator[bytes | None]:
        return exporter.exposition_pieces(steps=steps)

    pieces = asyncio.run(Pacer(clock=slow.__next__).collect(work))
    found = [piece.count(b"\nnode_disk_read_bytes_total{") for piece in pieces]
    assert sum(found) == 20 * devices * len(agents)
    assert max(found) <= 64


def test_host_that_is_down_has_only_samples_about_itself() -> None:
    exporter = Exporter()
    send_everything(Agent(exporter, "silent"))
    exporter.now += 14
    send_everything(Agent(exporter, "live"))
    exporter.now += 1
    names = {name for name, _ in exporter.samples("silent")}
    assert names == {family.name for family in TABLE.about_hosts}
    assert exporter.samples("silent")["pombo_host_up", ()] == 0
    assert exporter.samples("live")["host_memory_total_bytes", ()] == 1.5


def test_exposition_does_not_show_what_was_reported_after_its_snapshot() -> None:
    agent = Agent()
    agent.send(memory=Memory(total=1.0), gauges={"x": 1.0}, disks=disks(sda=1))
    before = agent.exporter.exposition()
    pieces = []
    for piece in agent.exporter.exposition_pieces():
        agent.send(memory=Memory(total=2), gauges={"x": 2.0, "y": 2.0}, disks=disks(sdb=1))
        pieces.append(piece or b"")
    assert b"".join(pieces).decode() == before


def test_exposition_without_hosts_is_empty() -> None:
    assert Exporter().exposition() == Exporter().exposition(openmetrics=True) == ""


# --- numbers ---


def test_unknown_and_infinite_values_produce_no_sample() -> None:
    exporter = Exporter()
    for seq, total in enumerate((0.0, 1.7e308)):
        table = replace(disks(sda=total, sdb=float(seq)), written_bytes=(float(seq), 0.0))
        exporter.take(
            Report("pi", session=SESSION, seq=seq, monotonic=1 + seq * 1e-10, disks=table)
        )
    exposition = exporter.exposition()
    assert not re.search("nan|inf|null|none", exposition.replace("_info", ""), re.IGNORECASE)
    family = "host_disk_read_bytes_per_second"
    assert exporter.value(family, device="sda") is None
    assert exporter.value(family, device="sdb") == pytest.approx(1e10, rel=1e-3)


def test_counter_beyond_64_bits_is_exposed() -> None:
    exporter = Exporter()
    for restarts in range(1, 5):
        session = SESSION + restarts * 10**9
        exporter.wait(8)  # until another session may take the name
        report = Report("pi", session=session, seq=2**63 - 1, time=exporter.wall, interval=5.0)
        exporter.take(report)
        exporter.host().sequence.expire_gaps(exporter.now)
    assert exporter.value("pombo_host_datagrams_skipped_total") == pytest.approx(4 * 2.0**63)


# --- names ---


def accepted(name: str) -> bool:
    """Return whether a gauge of this name is accepted."""
    try:
        Exporter().take(Report("pi", gauges={name: 1.0}))
    except DecodeError:
        return False
    return True


SUFFIXES = ["", "_total", "_created", "_bucket", "_count", "_sum", "_info", "_gcount", "_gsum"]
SUFFIXES += ["_max", "_quantile", "_state"]
STEMS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,20}\Z").filter(accepted)


@settings(max_examples=40)
@given(st.lists(STEMS, min_size=1, max_size=3), st.lists(st.sampled_from(SUFFIXES)))
def test_gauges_of_any_name_that_the_wire_accepts_are_valid_in_both_formats(
    stems: list[str], suffixes: Iterable[str]
) -> None:
    names = [stem + suffix for stem in stems for suffix in ("", *suffixes)]
    gauges = {name: float(number) for number, name in enumerate(names)}
    exporter = Exporter()
    exporter.take(Report("pi", gauges=gauges, interval=INTERVAL))
    assert plain(exporter.samples()) == {(name, ()): value for name, value in gauges.items()}


@pytest.mark.parametrize("value", [-1.5, 0.0, -0.0, 5e-324, 1.7e308, 21.5, 1e22, 123456789.125])
def test_value_of_a_gauge_is_exact(value: float) -> None:
    exporter = Exporter()
    exporter.take(Report("pi", gauges={"x": value}))
    assert exporter.value("x") == value


def test_gauge_with_the_name_of_a_family_is_refused() -> None:
    for family in TABLE.families:
        for name in (family.name, family.name.removesuffix("_total")):
            assert not accepted(name)
    assert accepted("node_memory_x")


def test_no_name_in_a_map_makes_the_name_of_another_family() -> None:
    prefixes = [each.prefix for each in TABLE.maps]
    names = [family.name for family in TABLE.families]
    for prefix in prefixes:
        others = [other for other in [*names, *prefixes] if other.startswith(prefix)]
        assert others == [prefix]
