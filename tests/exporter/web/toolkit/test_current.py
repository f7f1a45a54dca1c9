"""The configuration is read again when a file changes, and a bad file changes nothing."""

import logging
from pathlib import Path

import pytest
from pombo_exporter.web.toolkit.current import CurrentConfig
from pombo_exporter.web.toolkit.errors import WebConfigError
from support.certificates import Authority, password_hash
from support.clocks import Clock

ALICE, BOB = password_hash("alice"), password_hash("bob")
USERS = f"basic_auth_users:\n  alice: {ALICE}\n"
TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Authority(tmp_path).issue("server")
    path = tmp_path / "web.yml"
    path.write_text(USERS)
    return path


def test_change_is_seen_after_a_second(path: Path, clock: Clock) -> None:
    current = CurrentConfig(path, clock)
    path.write_text(f"{USERS}  bob: {BOB}\n")
    assert [*current().users] == ["alice"]
    clock.now += 1
    assert [*current().users] == ["alice", "bob"]
    assert current.reload_successful


def test_configuration_stays_the_same_object_while_no_file_changes(
    path: Path, clock: Clock
) -> None:
    path.write_text(USERS + TLS)
    current = CurrentConfig(path, clock)
    before = current()
    clock.now += 1
    path.touch()
    assert current() is before


@pytest.mark.parametrize("text", ["users: {}", "basic_auth_users:\n  alice: x", "a: ["])
def test_bad_file_keeps_the_configuration_until_it_is_right(
    path: Path, clock: Clock, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    current = CurrentConfig(path, clock)
    path.write_text(text)
    clock.now += 1
    with caplog.at_level(logging.ERROR):
        assert [*current().users] == ["alice"]
        clock.now += 1
        current()
    assert not current.reload_successful
    assert [record.getMessage() for record in caplog.records] == ["web config file not used"]
    assert str(path) in str(vars(caplog.records[0])["fields"]["error"])
    path.write_text(f"basic_auth_users:\n  bob: {BOB}\n")
    clock.now += 1
    assert [*current().users] == ["bob"]
    assert current.reload_successful


def test_bad_files_are_logged_once_a_minute(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    current = CurrentConfig(path, clock)
    with caplog.at_level(logging.ERROR):
        for number in range(59):
            path.write_text(f"wrong: {number}")
            clock.now += 1
            current()
        assert len(caplog.records) == 1
        for number in range(2):
            path.write_text(f"wrong again: {number}")
            clock.now += 1
            current()
    assert len(caplog.records) == 2


def test_file_that_is_gone_keeps_the_configuration(path: Path, clock: Clock) -> None:
    current = CurrentConfig(path, clock)
    path.unlink()
    clock.now += 1
    assert [*current().users] == ["alice"]
    assert not current.reload_successful
    path.write_text(f"basic_auth_users:\n  bob: {BOB}\n")
    clock.now += 1
    assert [*current().users] == ["bob"]


def test_renewed_certificate_is_used_once_its_key_is_there_too(path: Path, clock: Clock) -> None:
    path.write_text(TLS)
    current = CurrentConfig(path, clock)
    before = current().tls
    new = Authority(path.parent, "new").issue("renewed")
    (path.parent / "server.crt").write_bytes(new.certificate.read_bytes())
    clock.now += 1
    assert current().tls is before
    assert not current.reload_successful
    (path.parent / "server.key").write_bytes(new.key.read_bytes())
    clock.now += 1
    after = current().tls
    assert after is not None
    assert after is not before
    assert current.reload_successful


def test_link_that_leads_elsewhere_is_a_change(path: Path, clock: Clock) -> None:
    link = path.parent / "link.yml"
    link.symlink_to(path)
    other = path.parent / "other.yml"
    other.write_text(f"basic_auth_users:\n  bob: {BOB}\n")
    current = CurrentConfig(link, clock)
    link.unlink()
    link.symlink_to(other)
    clock.now += 1
    assert [*current().users] == ["bob"]


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        (TLS, USERS, "tls_server_config was removed: restart the exporter for this"),
        (USERS, USERS + TLS, "tls_server_config was added: restart the exporter for this"),
        (USERS, "", "all users were removed: restart the exporter for this"),
    ],
)
def test_tls_and_passwords_are_switched_off_or_on_by_a_restart_alone(
    path: Path, before: str, after: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(before)
    clock = Clock()
    current = CurrentConfig(path, clock)
    config = current()
    path.write_text(after)
    clock.now += 1
    assert current() is config
    assert not current.reload_successful
    assert str(vars(caplog.records[-1])["fields"]["error"]) == f"{path}: {error}"


def test_users_may_be_added_while_the_exporter_runs(path: Path, clock: Clock) -> None:
    path.write_text(TLS)
    current = CurrentConfig(path, clock)
    path.write_text(TLS + USERS)
    clock.now += 1
    assert [*current().users] == ["alice"]


def test_bad_file_at_the_start_is_an_error(path: Path) -> None:
    path.write_text("users: {}")
    with pytest.raises(WebConfigError):
        CurrentConfig(path)
