"""What datagrams say, as the reading side finds it."""

import math
import struct

from pombo_wire.layout import read_own_labels, read_section, split_members
from pombo_wire.reading import Datagram
from pombo_wire.section import Section


def sections_in(datagram: Datagram) -> list[Section]:
    """Return the sections of a datagram."""
    numbers = list(struct.unpack(f"{len(datagram.numbers) // 8}d", datagram.numbers))
    found = []
    for member in split_members(datagram.layout):
        if member.startswith(b'"labels":'):
            own = {name: (text,) for name, text in read_own_labels(member).items()}
            found.append(Section("labels", own, (), ()))
            continue
        layout = read_section(member)
        its: list[float | None] = []
        for at in range(len(layout.columns) * layout.rows):
            number = math.nan if at in layout.absent else numbers.pop(0)
            its.append(None if math.isnan(number) else number)
        labels = dict(zip(layout.labels, layout.texts, strict=True))
        found.append(Section(layout.name, labels, layout.columns, its, layout.absent))
    assert not numbers
    return found
