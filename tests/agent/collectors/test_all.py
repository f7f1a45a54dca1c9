"""All collectors on this machine."""

from collections.abc import Callable

import pytest
from pombo_agent.collecting.collector import Collect, Collector
from pombo_agent.collectors import psutil_fallback
from pombo_agent.options import COLLECTORS
from pombo_wire import SECTIONS
from pombo_wire.columns import EXTRA
from pombo_wire.layout import read_section, split_members
from pombo_wire.reading import read
from pombo_wire.section import Section, check, in_order
from pombo_wire.splitting import Form, Splitter

Collected = Callable[[Collect], list[Section]]

HEADER = {"host": "pi", "session": 1, "seq": 0}


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("collectors", [[*COLLECTORS.values()], psutil_fallback.COLLECTORS])
def test_every_section_of_this_machine_is_valid_on_the_wire(
    collectors: list[Collector], form: Form, collected: Collected
) -> None:
    for collector in collectors:
        sections = in_order(collected(collector.collect))
        for section in sections:
            check(section)
        datagrams, omitted = Splitter(form).datagrams(HEADER, sections)
        assert omitted == []
        layouts = [
            read_section(member)
            for datagram in datagrams
            for member in split_members(read(datagram).layout)
        ]
        names = {section.name for section in sections}
        assert {layout.name for layout in layouts} == names - EXTRA.keys()
        lines = [line for datagram in datagrams if (line := read(datagram).extra)]
        assert len(lines) == len(names & EXTRA.keys())
        for layout in layouts:
            if layout.name not in SECTIONS:  # a map, or an open family
                continue
            kind = SECTIONS[layout.name]
            columns = [*kind.__struct_fields__[kind.label_columns :]]
            assert [*layout.columns] == [name for name in columns if name in layout.columns]
