"""Alerts as the bodies of requests, in the JSON of Alertmanager's webhooks.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. What the groups
are is in docs/notifications.md.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct, field

from pombo_exporter.notify.alerts import SEVERITIES, Alert, Key, Kind
from pombo_exporter.notify.words import timestamp

VERSION: Final = "4"  # of Alertmanager's webhooks
RECEIVER: Final = "pombo"

#: The most alerts and bytes of a request, less what all of its alerts have in common.
MOST_ALERTS: Final = 100
MOST_BYTES: Final = 64 * 1024

#: An alert that is longer, in bytes, has none of its owner's labels.
_MOST_LABELLED: Final = 16 * 1024

#: More problems of one kind than these, which begin within one flush, are a burst.
MOST_SINGLE: Final = 10

_NOT_YET: Final = "0001-01-01T00:00:00Z"

FIRING, RESOLVED = "firing", "resolved"


class _Alert(Struct, frozen=True, gc=False):
    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    startsAt: str  # noqa: N815 - the names are Alertmanager's
    endsAt: str  # noqa: N815
    generatorURL: str  # noqa: N815
    fingerprint: str


class _Payload(Struct, frozen=True, kw_only=True):
    version: str = VERSION
    group_key: str = field(name="groupKey")
    truncated_alerts: int = field(name="truncatedAlerts")
    status: str
    receiver: str = RECEIVER
    group_labels: Mapping[str, str] = field(name="groupLabels")
    common_labels: Mapping[str, str] = field(name="commonLabels")
    common_annotations: Mapping[str, str] = field(name="commonAnnotations")
    external_url: str = field(name="externalURL")
    alerts: Sequence[Raw]


class Group(NamedTuple):
    """Which group an alert is in: one of its own, or that of all of its kind of bursts."""

    kind: Kind
    key: Key | None


class Links(NamedTuple):
    """The URL of the exporter, and what returns that of a host's page."""

    exporter: str
    host: Callable[[str], str]


class Batch(NamedTuple):
    """A request: its body, and the alerts in it."""

    body: bytes
    alerts: Sequence[Alert]


def group_of(alert: Alert) -> Group:
    """Return the group of an alert."""
    return Group(alert.key.kind, None if alert.in_burst else alert.key)


def batch(
    waiting: Collection[Alert], links: Links, *, still_firing: bool, most: int = MOST_ALERTS
) -> Batch:
    """Return the next request: as many alerts as it may have, ``most`` at most.

    ``waiting`` has at least one alert, all of one group. ``still_firing`` is whether any other
    alert of the group lasts.
    """
    taken: list[Alert] = []
    encoded: list[_Alert] = []
    bodies: list[bytes] = []
    size = 0
    for alert in islice(waiting, most):
        found, body = _encoded(alert, links)
        size += len(body)
        if taken and size > MOST_BYTES:
            break
        taken.append(alert)
        encoded.append(found)
        bodies.append(body)
    is_firing = still_firing or any(alert.is_firing for alert in taken)
    labels = _group_labels(group_of(taken[0]))
    pairs = ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
    payload = _Payload(
        group_key=f"{{}}:{{{pairs}}}",
        truncated_alerts=len(waiting) - len(taken),
        status=FIRING if is_firing else RESOLVED,
        group_labels=labels,
        common_labels=_common([each.labels for each in encoded]),
        common_annotations=_common([each.annotations for each in encoded]),
        external_url=links.exporter,
        alerts=[Raw(body) for body in bodies],
    )
    return Batch(msgspec.json.encode(payload), taken)


def _encoded(alert: Alert, links: Links) -> tuple[_Alert, bytes]:
    found = _alert(alert, links, alert.labels)
    body = msgspec.json.encode(found)
    if len(body) > _MOST_LABELLED:
        found = _alert(alert, links, {})
        body = msgspec.json.encode(found)
    return found, body


def _alert(alert: Alert, links: Links, labels: Mapping[str, str]) -> _Alert:
    own = {"alertname": str(alert.key.kind), "instance": alert.key.host}
    if alert.key.mountpoint:
        own["mountpoint"] = alert.key.mountpoint
    own["severity"] = SEVERITIES[alert.key.kind]
    return _Alert(
        FIRING if alert.is_firing else RESOLVED,
        {**labels, **own},
        {"summary": alert.words.summary, "description": alert.words.description},
        timestamp(alert.starts_at),
        _NOT_YET if alert.ends_at is None else timestamp(alert.ends_at),
        links.host(alert.key.host),
        alert.key.fingerprint,
    )


def _group_labels(group: Group) -> dict[str, str]:
    labels = {"alertname": str(group.kind)}
    if group.key is not None:
        labels["instance"] = group.key.host
        if group.key.mountpoint:
            labels["mountpoint"] = group.key.mountpoint
    return labels


def _common(each: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = each
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in others)
    }
