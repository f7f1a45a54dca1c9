"""Names that look alike are flagged, whatever makes them look alike."""

import pytest
from pombo_exporter.hosts.lookalikes import Lookalikes, skeleton
from pombo_exporter.hosts.roster import HostEvent
from support.builders import Agent, Exporter

ALIKE = {
    "another hyphen": ("web-1", "web\N{NON-BREAKING HYPHEN}1"),
    "a Cyrillic letter": ("web-1", "w\N{CYRILLIC SMALL LETTER IE}b-1"),
    "a Greek letter": ("BETA", "\N{GREEK CAPITAL LETTER BETA}ETA"),
    "case": ("db-Master", "DB-master"),
    "an invisible character": ("db-1", "db\N{ZERO WIDTH SPACE}-1"),
    "a direction mark": ("db-1", "\N{RIGHT-TO-LEFT OVERRIDE}db-1"),
    "a space at the end": ("db-1", "db-1 "),
    "another space": ("db 1", "db\N{NO-BREAK SPACE}1"),
    "a mark": ("cafe", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
    "full width": ("db-1", "\N{FULLWIDTH LATIN SMALL LETTER D}b-1"),
    "a digit": ("host-lo", "host-10"),
    "a capital I": ("mai1", "maI1"),
    "a ligature": ("office", "o\N{LATIN SMALL LIGATURE FFI}ce"),
}


@pytest.mark.parametrize(("one", "other"), ALIKE.values(), ids=ALIKE)
def test_names_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"), [("web-1", "web-2"), ("web-1", "web-11"), ("a", "b"), ("日本", "日木")]
)
def test_other_names_have_not(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


def test_name_is_free_again_when_it_is_removed() -> None:
    names = Lookalikes()
    assert names.add("a") == ""
    assert names.add("A") == "a"
    names.remove("A")
    assert names.add("A") == "a"
    names.remove("a")
    assert names.add("a") == ""
    names.remove("A")
    assert names.add("A") == "a"


def test_new_host_is_flagged_and_the_first_is_not() -> None:
    exporter = Exporter()
    Agent(exporter, "web-1").send(gauges={"x": 1.0})
    Agent(exporter, "WEB-1").send(gauges={"x": 1.0})
    assert exporter.host("web-1").looks_like == ""
    assert exporter.host("WEB-1").looks_like == "web-1"
    assert exporter.roster.lookalikes == 1
    assert HostEvent.LOOKALIKE in exporter.events()
