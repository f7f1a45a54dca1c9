"""Stores what datagrams report in the slots of their hosts, within the limits.

A datagram is stored whole or not at all: everything is checked before anything changes.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from pombo_wire import DEFAULT_INTERVAL_SECONDS, DecodeError, Header, Reason
from pombo_wire.layout import OWN_LABELS, split_members
from pombo_wire.limits import MAX_LABEL_BYTES, MAX_LAYOUT_ITEMS, SECTION_ITEMS
from pombo_wire.reading import Datagram

from pombo_exporter.hosts.host import DOWN_AFTER, Description, Host, Slots
from pombo_exporter.hosts.layouts import FAMILY_BYTES, Catalog, Layouts, Section
from pombo_exporter.hosts.limits import (
    AdmissionError,
    Limits,
    RefusalReason,
)
from pombo_exporter.hosts.slots import (
    NUMBER_BYTES,
    Arrangement,
    Slot,
    Stamp,
    arrange,
    first_negative,
    with_rates,
)
from pombo_exporter.hosts.uniqueness import check_alone, check_unique, names_in_conflict

_INFO: Final = "info"

#: What a host is booked with besides its texts and slots: its fields, its gaps, its loss of ten
#: minutes, and its place in dicts. See layouts. Its curves are booked by themselves.
_HOST_BYTES: Final = 3264

#: The most arrangements that hosts share, which are not booked, and the most bytes of each.
_MAX_SHARED: Final = 1024
_MAX_SHARED_BYTES: Final = 1024


class Contents(NamedTuple):
    """A datagram, its sections, and where their numbers are."""

    datagram: Datagram
    sections: tuple[Section, ...]
    arrangement: Arrangement

    def slot(self, stamp: Stamp, expires: float) -> Slot:
        """Return a slot with the contents, of which no rate can be derived yet."""
        return Slot(
            self.sections,
            self.arrangement,
            self.datagram.numbers,
            None,
            0.0,
            stamp,
            expires,
            self.datagram.extra,
        )

    def first_negative(self) -> str | None:
        """Return the section and column of a number with the wrong sign, or None."""
        return first_negative(self.sections, self.arrangement, self.datagram.numbers)


class Reports:
    """The last reports of all hosts, and the bytes that are booked for them."""

    def __init__(self, limits: Limits, catalog: Catalog) -> None:
        self._limits = limits
        self.layouts = Layouts(catalog)
        self._arrangements: dict[bytes, Arrangement] = {}
        self._host_bytes = 0  # booked for the hosts and their slots, without their sections

    @property
    def booked_bytes(self) -> int:
        """What is booked for all hosts, in bytes."""
        return self._host_bytes + self.layouts.booked_bytes

    def add(self, host: Host) -> None:
        """Book a new host.

        Raises:
            AdmissionError: when there is no room for it.
        """
        self._check_bytes(host, _HOST_BYTES + host.own_bytes)
        host.booked_bytes = _HOST_BYTES
        self._host_bytes += _HOST_BYTES
        self._book_texts(host)

    def remove(self, host: Host) -> None:
        """Drop all that a host reported, and the host's own bytes."""
        self.drop(host)
        self._host_bytes -= host.booked_bytes

    def read(self, host: Host | None, datagram: Datagram) -> Contents:
        """Return the contents of a datagram: with the sections of its slot, or of a new layout.

        Raises:
            DecodeError: when its layout is invalid, does not have as many numbers, or has a number
                of the wrong sign.
        """
        slot = host and _slot_of(host, datagram.header)
        if slot and slot.has_layout(datagram.layout):
            contents = Contents(datagram, slot.sections, slot.arrangement)
        else:
            sections = self._read(datagram.layout)
            contents = Contents(datagram, sections, self._arranged(sections))
        found, count = len(datagram.numbers) // NUMBER_BYTES, contents.arrangement.size
        if found != count:
            detail = f"{found} numbers, but the layout has {count} cells that are not absent"
            raise DecodeError(Reason.UNEQUAL_NUMBERS, detail)
        if datagram.has_negative and (name := contents.first_negative()):
            detail = f"`{name}` is negative: leave it out if unknown"
            raise DecodeError(Reason.INVALID_FIELD, detail)
        return contents

    def _read(self, layout: bytes) -> tuple[Section, ...]:
        sections = []
        items = most_label_bytes = 0
        for section in self.layouts.find_all(split_members(layout)):
            sections.append(section)
            items += section.items
            most_label_bytes += section.most_label_bytes
            if items > MAX_LAYOUT_ITEMS:  # each further section costs more
                detail = (
                    f"layout: {items} sections (each as {SECTION_ITEMS}), rows, columns and labels"
                )
                remedy = f"split the report, a datagram has {MAX_LAYOUT_ITEMS} at most"
                raise DecodeError(Reason.TOO_LARGE, f"{detail}: {remedy}")
        if most_label_bytes > MAX_LABEL_BYTES:
            size = sum(section.label_bytes for section in sections)
            if size > MAX_LABEL_BYTES:
                detail = f"layout: {size} bytes of labels in an exposition, over {MAX_LABEL_BYTES}"
                remedy = "send fewer columns or shorter texts"
                raise DecodeError(Reason.TOO_LARGE, f"{detail}: {remedy}")
        check_alone(sections)
        return tuple(sections)

    def _arranged(self, sections: tuple[Section, ...]) -> Arrangement:
        """Return the arrangement of sections, of which hosts of one kind share one."""
        found = arrange(sections)
        key = found.key
        if len(key) > _MAX_SHARED_BYTES:
            return found
        shared = self._arrangements.get(key)
        if shared is None:
            if len(self._arrangements) >= _MAX_SHARED:
                self._arrangements.clear()
            shared = self._arrangements[key] = found
        return shared

    def store(self, host: Host, contents: Contents, now: float) -> None:
        """Store the contents of a datagram, unless newer ones are there.

        Raises:
            DecodeError: when a series is in another datagram of the report, too.
            AdmissionError: when a limit is reached.
        """
        header = contents.datagram.header
        stamp = Stamp(header.session, header.seq or 0, header.monotonic)
        interval = header.interval or DEFAULT_INTERVAL_SECONDS
        if header.parts is None:
            self._store_loose(host, contents, stamp, now + DOWN_AFTER * interval)
        else:
            self._store_part(host, contents, stamp, now + host.down_after * interval)

    def _store_part(self, host: Host, contents: Contents, stamp: Stamp, expires: float) -> None:
        datagram, sections, _ = contents
        part, plan = datagram.header.part, _plan(datagram.header)
        found = _slots_of(host, plan, stamp)
        if found is None:
            return
        slots, stored = found.slots, found.slots[part]
        if stored is not None and not stamp.is_newer(stored.stamp):
            return
        if stored is not None and stored.sections is sections:
            slot = stored.updated(datagram.numbers, stamp, expires, datagram.extra)
            if len(slot.extra) != len(stored.extra):
                self._rebook(host, [stored], [slot])
        else:
            others = [each for each in _slots(slots) if each is not stored]
            check_unique(sections, [*_sections(others)])
            slot = contents.slot(stamp, expires)
            slot = with_rates(slot, _slots(host.slots, (stored,)))
            loose = _loose_with(host, sections)
            kept = (each for name, each in host.loose.items() if name not in loose)
            self._check_host(host, [*others, slot, *kept])
            replaced = [*_slots(found.replaced, (stored,)), *loose.values()]
            self._rebook(host, replaced, [slot], _described(host, sections))
            for name in loose:
                del host.loose[name]
        slots[part] = slot
        if found.is_shown:
            host.slots, host.plan = slots, plan[0]
            return
        host.pending, host.pending_plan = slots, plan[0]
        if None not in slots:
            before = _slots(host.slots)
            _show_pending(host)
            self._rebook(host, before, [])

    def _store_loose(self, host: Host, contents: Contents, stamp: Stamp, expires: float) -> None:
        datagram, sections, arrangement = contents
        names = {section.name for section in sections}
        reported = _slots(host.slots, host.pending)
        for section in _sections(reported):
            if section.name in names:
                detail = (
                    f"`{section.name}` of {host.name!r} is in its agent's report: "
                    "a datagram without `parts` cannot replace it"
                )
                raise AdmissionError(RefusalReason.CONFLICT, detail)
        stored: dict[str, Slot] = {}
        added: dict[str, Slot] = {}
        updated: dict[str, Slot] = {}
        for section, start in zip(sections, arrangement.starts, strict=True):
            numbers = datagram.numbers[start * NUMBER_BYTES :][: section.count * NUMBER_BYTES]
            old = host.loose.get(section.name)
            if old is None:
                added[section.name] = _single(section, numbers, stamp, expires)
            elif not stamp.is_newer(old.stamp):
                continue
            elif old.sections[0] is section:
                updated[section.name] = old.updated(numbers, stamp, expires)
            else:
                stored[section.name] = old
                slot = _single(section, numbers, stamp, expires)
                added[section.name] = with_rates(slot, [old]) if section.rates else slot
        if added:
            rest = [slot for name, slot in host.loose.items() if name not in added]
            new = [*_sections(added.values())]
            check_unique(new, [*_sections([*reported, *rest])])
            for slots in (host.slots, host.pending):
                self._check_host(host, [*_slots(slots), *rest, *added.values()])
            self._rebook(host, stored.values(), added.values(), _described(host, new))
        host.loose |= added | updated

    def drop_sessions(self, host: Host) -> None:
        """Drop what earlier sessions reported, for it may be another machine's.

        Slots without a session have scripts' gauges and stay.
        """
        loose = [name for name, slot in host.loose.items() if slot.stamp.session is not None]
        dropped = [*_slots(host.slots, host.pending), *map(host.loose.__getitem__, loose)]
        host.slots, host.pending = [], []
        for name in loose:
            del host.loose[name]
        self._rebook(host, dropped, [])
        self._book_texts(host)  # a session begins without labels

    def drop(self, host: Host) -> None:
        """Drop all that a host reported."""
        dropped = [*host.stored()]
        host.slots, host.pending = [], []
        host.loose.clear()
        self._rebook(host, dropped, [])

    def drop_expired(self, host: Host, now: float) -> None:
        """Drop the slots that have expired at ``now`` (monotonic clock, seconds)."""
        expired = [slot for slot in host.stored() if slot.expires <= now]
        host.slots = _without(host.slots, expired)
        host.pending = _without(host.pending, expired)
        host.loose = {name: slot for name, slot in host.loose.items() if slot.expires > now}
        self._rebook(host, expired, [])
        if host.pending and not host.slots:
            _show_pending(host)

    def _rebook(
        self,
        host: Host,
        before: Collection[Slot],
        after: Collection[Slot],
        description: Description | None = None,
    ) -> None:
        """Book slots that a host gets, and free those that it had before.

        Raises:
            AdmissionError: when a limit would be exceeded; nothing has changed then.
        """
        more = sum(slot.booked_bytes for slot in after) - sum(slot.booked_bytes for slot in before)
        if after:
            texts = len(description.text) - len(host.info_text) if description else 0
            stored = {*_sections(before)}
            used = [each for each in _sections(after) if each.users < 2 and each not in stored]
            self._check_stored(host, more + texts, used)
        for slot in after:
            self.layouts.use(slot.sections)
        for slot in before:
            self.layouts.release(slot.sections)
        host.booked_bytes += more
        self._host_bytes += more
        if description:
            host.describe(description)
            self._book_texts(host)

    def _book_texts(self, host: Host) -> None:
        more = host.own_bytes - host.text_bytes
        host.text_bytes += more
        host.booked_bytes += more
        self._host_bytes += more

    def _check_stored(self, host: Host, more: int, used: Iterable[Section]) -> None:
        """Check the limits of all hosts if these sections get one more user, with more bytes."""
        new = []
        for section in used:
            more += self.layouts.bytes_of_use(section)
            if not section.users:
                new.append(section)
        families = self.layouts.types.new(new)
        self._check_bytes(host, more + families * FAMILY_BYTES)
        self._check_layouts(len(new))
        self._check_families(families)

    def _check_host(self, host: Host, slots: Sequence[Slot]) -> None:
        """Check the limits of a host that would show these slots."""
        items, most = sum(slot.arrangement.items for slot in slots), self._limits.items_per_host
        if items > most:
            detail = f"{host.name!r} would have {items} sections, rows and columns, over {most}"
            raise AdmissionError(RefusalReason.SECTION_LIMIT, detail)
        series = sum(slot.arrangement.series for slot in slots)
        if series > self._limits.series_per_host:
            limit = f"--limit.series-per-host={self._limits.series_per_host}"
            detail = f"{host.name!r} would have {series} series, over {limit}"
            raise AdmissionError(RefusalReason.SERIES_LIMIT, detail)

    def _check_bytes(self, host: Host, more: int) -> None:
        booked = self.booked_bytes + more
        if more > 0 and booked > self._limits.bytes:
            limit = f"--limit.bytes={self._limits.bytes}"
            detail = f"with {host.name!r}, {booked} bytes would be stored, over {limit}"
            raise AdmissionError(RefusalReason.BYTES_LIMIT, detail)

    def _check_layouts(self, more: int) -> None:
        layouts = self.layouts.count + more
        if more and layouts > self._limits.layouts:
            detail = f"{layouts} section layouts, over --limit.layouts={self._limits.layouts}"
            raise AdmissionError(RefusalReason.LAYOUT_LIMIT, detail)

    def _check_families(self, more: int) -> None:
        families = len(self.layouts.types) + more
        if more and families > self._limits.families:
            detail = f"{families} open families, over --limit.families={self._limits.families}"
            raise AdmissionError(RefusalReason.FAMILY_LIMIT, detail)


def _plan(header: Header) -> tuple[int, int]:
    assert header.parts is not None
    return header.plan, header.parts


class _PlanSlots(NamedTuple):
    """The slots of one plan, and those of another one that it replaces from its first datagram."""

    slots: Slots
    replaced: Sequence[Slot | None] = ()
    is_shown: bool = False


def _slots_of(host: Host, plan: tuple[int, int], stamp: Stamp) -> _PlanSlots | None:
    """Return the slots of a plan, None for a late datagram of an earlier plan."""
    if not host.slots or plan == (host.plan, len(host.slots)):
        return _PlanSlots(host.slots or [None] * plan[1], is_shown=True)
    if plan == (host.pending_plan, len(host.pending)):
        return _PlanSlots(host.pending)
    if all(stamp.is_newer(slot.stamp) for slot in _slots(host.slots, host.pending)):
        return _PlanSlots([None] * plan[1], host.pending)
    return None


def _slot_of(host: Host, header: Header) -> Slot | None:
    """Return the slot that a part of a report replaces, if it has its place already."""
    if header.parts is None:
        return None
    plan = _plan(header)
    if plan == (host.plan, len(host.slots)):
        return host.slots[header.part]
    if plan == (host.pending_plan, len(host.pending)):
        return host.pending[header.part]
    return None


def _slots(*several: Sequence[Slot | None]) -> list[Slot]:
    return [slot for slots in several for slot in slots if slot is not None]


def _sections(slots: Iterable[Slot]) -> Iterator[Section]:
    return (section for slot in slots for section in slot.sections)


def _single(section: Section, numbers: bytes, stamp: Stamp, expires: float) -> Slot:
    return Slot((section,), arrange([section]), numbers, None, 0.0, stamp, expires)


def _loose_with(host: Host, sections: Sequence[Section]) -> dict[str, Slot]:
    """Return the loose slots that have series of these sections of an agent's report."""
    if not host.loose:
        return {}
    names = names_in_conflict(sections)
    families = {name for section in sections for name in section.families}
    return {
        name: slot
        for name, slot in host.loose.items()
        if name in names or not families.isdisjoint(slot.sections[0].families)
    }


def _described(host: Host, sections: Iterable[Section]) -> Description | None:
    """Return what sections say of the host itself, None if they say nothing."""
    info = labels = None
    for section in sections:
        if section.name == _INFO:
            info = section.info()
        elif section.name == OWN_LABELS:
            labels = section.own_labels()
    return None if info is None and labels is None else host.described(info, labels)


def _show_pending(host: Host) -> None:
    host.slots, host.plan, host.pending = host.pending, host.pending_plan, []


def _without(slots: Slots, expired: Collection[Slot]) -> Slots:
    """Return slots without those that expired; nothing when none is left."""
    kept = [None if slot in expired else slot for slot in slots]
    return kept if any(kept) else []
