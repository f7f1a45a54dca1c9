"""No two samples of a host have the same series, whatever its datagrams say.

Prometheus refuses a whole scrape in which a series is repeated.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np
from pombo_wire import DecodeError, Reason

from pombo_exporter.hosts.layouts import Section, places_of

_MEMINFO: Final = "meminfo"

#: Sections that repeat what ``meminfo`` has.
_REPEAT_MEMINFO: Final = frozenset({"memory", "swap"})


def check_alone(sections: Sequence[Section]) -> None:
    """Check that no two sections of a datagram have a series in common.

    Raises:
        DecodeError: when they have.
    """
    _owners(sections)
    _check_memory({section.name for section in sections})


def check_unique(sections: Sequence[Section], others: Sequence[Section]) -> None:
    """Check that the sections of a datagram have no series in common with others of its host.

    Raises:
        DecodeError: when they have, or when a section is not divided between its rows.
    """
    if not others:
        return
    _check_families(_owners(sections), others)
    names = {section.name: section for section in sections}
    divided: dict[str, list[Section]] = {}
    for other in others:
        if other.name in names:
            divided.setdefault(other.name, []).append(other)
    for name, parts in divided.items():
        _check_divided(names[name], parts)
    if _MEMINFO in names or names.keys() & _REPEAT_MEMINFO:
        _check_memory(names.keys() | {other.name for other in others})


def _check_memory(names: AbstractSet[str]) -> None:
    if _MEMINFO in names and names & _REPEAT_MEMINFO:
        detail = "the exporter derives memory and swap from `meminfo`: send one or the other"
        raise DecodeError(Reason.REPEATED_ROW, detail)


def names_in_conflict(sections: Iterable[Section]) -> set[str]:
    """Return the names of sections that must not stand beside these in a host."""
    names = {section.name for section in sections}
    if _MEMINFO in names:
        return names | _REPEAT_MEMINFO
    return names | {_MEMINFO} if names & _REPEAT_MEMINFO else names


def _owners(sections: Iterable[Section]) -> dict[str, str]:
    """Return the name of the section that has each open family."""
    owners: dict[str, str] = {}
    for section in sections:
        if not owners.keys().isdisjoint(section.families):
            name = next(name for name in section.families if name in owners)
            raise _repeated(name, owners[name], section.name)
        owners.update(dict.fromkeys(section.families, section.name))
    return owners


def _check_families(owners: Mapping[str, str], others: Iterable[Section]) -> None:
    """Check that each open family is in sections of one name."""
    names = {*owners.values()}
    for other in others:
        # A host may have twelve thousand families. Where all owners have the same name as the other
        # section, they need not be compared.
        if names == {other.name} or owners.keys().isdisjoint(other.families):
            continue
        if {*map(owners.get, other.families)} - {None, other.name}:
            common = owners.keys() & other.families
            name = next(name for name in common if owners[name] != other.name)
            raise _repeated(name, owners[name], other.name)


def _repeated(family: str, one: str, other: str) -> DecodeError:
    detail = f"family `{family}` is in the sections `{one}` and `{other}`: send it in one"
    return DecodeError(Reason.REPEATED_ROW, detail)


def _check_divided(section: Section, others: Sequence[Section]) -> None:
    families = frozenset(section.families)
    shared = []
    for other in others:
        if section.labels != other.labels:
            detail = f"section `{section.name}` has other labels in another datagram of the report"
            raise DecodeError(Reason.INVALID_FIELD, detail)
        if not families and (section.columns != other.columns or not section.is_table):
            detail = f"section `{section.name}`: divide it between its rows, with the same columns"
            raise DecodeError(Reason.INVALID_FIELD, detail)
        if not families or not families.isdisjoint(other.families):
            shared.append(other.hashes())
    if shared and len(places_of(section.hashes(), np.concatenate(shared))):
        detail = f"section `{section.name}`: a row is in two datagrams of the report"
        raise DecodeError(Reason.REPEATED_ROW, detail)
