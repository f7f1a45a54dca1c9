"""Requests have the JSON of Alertmanager's webhooks."""

import json
from typing import Any

from pombo_exporter.notify.alerts import Alert, Key, Kind, Words
from pombo_exporter.notify.grouping import MOST_BYTES, Links, batch
from support.senders import HOSTILE_NAMES

WALL = 1_800_000_000.0
LINKS = Links("http://pombo", lambda name: f"http://pombo/host?name={len(name)}")


def down(name: str, labels: dict[str, str] | None = None, *, in_burst: bool = False) -> Alert:
    words = Words(f"{name} is down", "what to do")
    return Alert(Key(Kind.DOWN, name), labels or {}, WALL, words, in_burst=in_burst)


def payload(*alerts: Alert, still_firing: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(batch(alerts, LINKS, still_firing=still_firing).body)
    return found


def test_payload_of_one_alert() -> None:
    assert payload(down("pi", {"site": "attic"})) == {
        "version": "4",
        "groupKey": '{}:{alertname="PomboHostDown", instance="pi"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "pombo",
        "groupLabels": {"alertname": "PomboHostDown", "instance": "pi"},
        "commonLabels": {
            "alertname": "PomboHostDown",
            "instance": "pi",
            "severity": "critical",
            "site": "attic",
        },
        "commonAnnotations": {"summary": "pi is down", "description": "what to do"},
        "externalURL": "http://pombo",
        "alerts": [
            {
                "status": "firing",
                "labels": {
                    "alertname": "PomboHostDown",
                    "instance": "pi",
                    "severity": "critical",
                    "site": "attic",
                },
                "annotations": {"summary": "pi is down", "description": "what to do"},
                "startsAt": "2027-01-15T08:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://pombo/host?name=2",
                "fingerprint": Key(Kind.DOWN, "pi").fingerprint,
            }
        ],
    }


def test_resolved_alert_has_the_time_of_its_end() -> None:
    found = payload(down("pi").resolved(Words("back", ""), WALL + 90))
    assert found["status"] == found["alerts"][0]["status"] == "resolved"
    assert found["alerts"][0]["endsAt"] == "2027-01-15T08:01:30Z"


def test_group_of_a_burst_is_firing_until_none_of_it_is() -> None:
    ends = [down(name, in_burst=True).resolved(Words("", ""), WALL) for name in "ab"]
    assert payload(*ends, still_firing=True)["status"] == "firing"
    found = payload(*ends)
    assert found["status"] == "resolved"
    assert found["groupKey"] == '{}:{alertname="PomboHostDown"}'
    assert found["commonLabels"] == {"alertname": "PomboHostDown", "severity": "critical"}
    assert payload(down("c", in_burst=True), *ends)["status"] == "firing"


def test_disk_has_its_mount_point_as_a_label() -> None:
    key = Key(Kind.DISK, "pi", "/var")
    found = payload(Alert(key, {}, WALL, Words("", "")))
    assert found["groupLabels"] == {
        "alertname": "HostFilesystemFull",
        "instance": "pi",
        "mountpoint": "/var",
    }
    assert found["alerts"][0]["labels"]["mountpoint"] == "/var"


def test_labels_of_a_host_do_not_replace_those_of_the_alert() -> None:
    labels = {"instance": "other", "alertname": "x", "severity": "none", "rack": "7"}
    [found] = payload(down("pi", labels))["alerts"]
    assert found["labels"] == {
        "alertname": "PomboHostDown",
        "instance": "pi",
        "severity": "critical",
        "rack": "7",
    }


def test_labels_that_are_too_long_are_left_out() -> None:
    labels = {f"label{number}": "\x01" * 255 for number in range(60)}
    found = batch([down(name, labels) for name in ("\x01" * 255, "b")], LINKS, still_firing=False)
    assert len(found.alerts) == 2
    assert len(found.body) < MOST_BYTES
    assert "label0" not in json.loads(found.body)["alerts"][0]["labels"]


def test_hostile_names_arrive_as_they_are() -> None:
    for name in HOSTILE_NAMES:
        found = payload(down(name))
        assert found["alerts"][0]["labels"]["instance"] == name


def test_fingerprint_is_that_of_the_problem_alone() -> None:
    keys = [
        Key(Kind.DOWN, "a"),
        Key(Kind.CONFLICT, "a"),
        Key(Kind.DISK, "a", "b"),
        Key(Kind.DISK, "ab"),
        Key(Kind.DISK, "a", "bc"),
        Key(Kind.DISK, "ab", "c"),
    ]
    found = [key.fingerprint for key in keys]
    assert len({*found}) == len(keys)
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in found)
    assert Key(Kind.DOWN, "a").fingerprint == found[0]
