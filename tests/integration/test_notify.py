"""Notifications and heartbeats of a real exporter, at real receivers."""

import json
import re
import signal
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pombo_wire import Filesystems, Report, encode
from support.certificates import Authority
from support.namespaces import Namespace
from support.pages import fetch, wait_until
from support.processes import BIN, ROOT, Exporter, Launcher, found, free_port
from support.receivers import Alert, Answer, Receiver
from support.senders import Sender

SECRET = "s3cret-token"
FOR = "--notify.for=1s"

#: Hosts that go down at once, and how many datagrams are sent before the exporter has read them.
HOSTS, AT_ONCE = 5000, 250

DOWN = "PomboHostDown"


@pytest.fixture
def receiver(start: Launcher) -> Iterator[Receiver]:
    """A receiver that ends after those that call it."""
    with Receiver() as found:
        yield found
        start.close()


def notified(receiver: Receiver, *expected: tuple[str, str, str]) -> list[Alert]:
    """Wait until these alerts have arrived, in this order; return all of them."""
    wait_until(receiver.said, lambda said: len(said) >= len(expected), f"{expected}", within=45)
    assert receiver.said() == [*expected]
    return receiver.alerts()


def value(exporter: Exporter, name: str, receiver: str) -> int:
    return exporter.counted(f"pombo_exporter_{name}", receiver=receiver)


def reports(exporter: Exporter, name: str) -> None:
    """Wait until a host has reported twice, so that its silence counts."""
    sample = "pombo_host_datagrams_received_total"
    wait_until(exporter.page, lambda page: (page.value(sample, instance=name) or 0) > 1, name)


def silent(exporter: Exporter, name: str = "pi", *, interval: float = 0.5) -> None:
    """Let a host report twice and never again."""
    with Sender(name, exporter.port, interval=interval) as sender:
        sender.report(1.0)
        sender.report(2.0)


def test_host_whose_agent_is_killed_is_notified_and_so_is_its_return(
    start: Launcher, receiver: Receiver
) -> None:
    exporter = start.exporter(f"--notify.url={receiver.url}/hook", FOR)
    agent = start.agent("pi", exporter, flags=["--label=site=attic"])
    reports(exporter, "pi")
    agent.kill()
    [down] = notified(receiver, ("firing", DOWN, "pi"))
    start.agent("pi", exporter, flags=["--label=site=attic"])
    _, up = notified(receiver, ("firing", DOWN, "pi"), ("resolved", DOWN, "pi"))
    assert up["fingerprint"] == down["fingerprint"]
    assert up["startsAt"] == down["startsAt"] < up["endsAt"]
    assert down["labels"]["site"] == "attic"
    assert down["generatorURL"].endswith(f":{exporter.port}/host?name=pi")
    assert all(each.path == "/hook" for each in receiver.requests)
    wait_until(
        lambda: value(exporter, "notifications_total", receiver.url), (2).__eq__, "both counted"
    )
    assert value(exporter, "notifications_failed_total", receiver.url) == 0
    assert value(exporter, "notifications_queue_length", receiver.url) == 0
    last = value(exporter, "notifications_last_success_timestamp_seconds", receiver.url)
    assert time.time() - 120 < last <= time.time()


def test_agent_that_is_stopped_is_not_notified(start: Launcher, receiver: Receiver) -> None:
    exporter = start.exporter(f"--notify.url={receiver.url}", FOR)
    stopped = start.agent("stopped", exporter)
    killed = start.agent("killed", exporter)
    for name in ("stopped", "killed"):
        reports(exporter, name)
    stopped.end()
    killed.kill()
    notified(receiver, ("firing", DOWN, "killed"))


def test_two_agents_with_one_name_are_notified(start: Launcher, receiver: Receiver) -> None:
    exporter = start.exporter(f"--notify.url={receiver.url}", FOR)
    for _ in range(2):
        start.agent("pi", exporter)
    [found] = notified(receiver, ("firing", "PomboHostNameConflict", "pi"))
    assert "from 127.0.0.1" in found["annotations"]["summary"]


@pytest.mark.slow
def test_full_disk_is_notified(start: Launcher, receiver: Receiver) -> None:
    exporter = start.exporter(f"--notify.url={receiver.url}", FOR, "--threshold.disk=40%,60%")
    columns = {"size": (100.0, 100.0), "free": (39.0, 50.0), "available": (39.0, 50.0)}
    table = Filesystems(("/var", "/"), ("a", "b"), ("ext4", "ext4"), **columns)
    with Sender("pi", exporter.port) as sender:
        sender.report(1.0, ("filesystems", table))
        [found] = notified(receiver, ("firing", "HostFilesystemFull", "pi"))
    assert found["labels"]["mountpoint"] == "/var"
    assert found["annotations"]["summary"] == "/var on pi is 61 % full"


@pytest.mark.slow
def test_five_thousand_hosts_that_go_down_at_once_are_few_requests(
    start: Launcher, receiver: Receiver
) -> None:
    exporter = start.exporter(f"--notify.url={receiver.url}", FOR)
    session = time.time_ns()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", exporter.port))
        for seq in range(2):
            for number in range(HOSTS):
                report = Report(f"host-{number}", session=session, seq=seq, interval=10.0)
                sock.send(encode(report))
                if number % AT_ONCE == AT_ONCE - 1:
                    sent = seq * HOSTS + number + 1
                    wait_until(lambda: received(exporter), sent.__eq__, "reports", every=0.005)
    names = wait_until(
        lambda: {name for _, _, name in receiver.said()},
        lambda found: len(found) == HOSTS,
        "all hosts",
        within=90,
    )
    assert len(receiver.alerts()) == HOSTS
    assert names == {f"host-{number}" for number in range(HOSTS)}
    bursts = [each for each in receiver.requests if len(each.payload["alerts"]) > 1]
    assert {each.payload["groupKey"] for each in bursts} == {'{}:{alertname="PomboHostDown"}'}
    assert len(receiver.requests) <= 150
    assert max(len(each.body) for each in receiver.requests) <= 80 * 1024
    assert exporter.counted("pombo_exporter_kernel_drops_total") == 0
    assert value(exporter, "notifications_dropped_total", receiver.url) == 0


def received(exporter: Exporter) -> int:
    status = json.loads(fetch(f"http://{exporter.target}/api/v1/status"))
    count: int = status["datagrams_received"]
    return count


@pytest.mark.slow
def test_receivers_that_fail_cost_no_other_one(start: Launcher, receiver: Receiver) -> None:
    with Receiver() as slow, Receiver() as limiting, Receiver() as refusing:
        slow.answer = lambda _: Answer(delay=3600)
        limiting.answer = lambda number: Answer(429 if number < 2 else 200, {"Retry-After": "1"})
        refusing.answer = lambda _: Answer(404)
        receivers = (slow, limiting, refusing, receiver)
        exporter = start.exporter(*(f"--notify.url={each.url}" for each in receivers), FOR)
        silent(exporter)
        notified(receiver, ("firing", DOWN, "pi"))
        wait_until(
            lambda: value(exporter, "notifications_queue_length", limiting.url), (0).__eq__, "429"
        )
        assert value(exporter, "notifications_total", limiting.url) == 3
        assert value(exporter, "notifications_failed_total", limiting.url) == 2
        assert value(exporter, "notifications_dropped_total", limiting.url) == 0
        assert value(exporter, "notifications_dropped_total", refusing.url) == 1
        failed = lambda: value(exporter, "notifications_failed_total", slow.url)  # noqa: E731
        wait_until(failed, bool, "the slow one given up")
        assert value(exporter, "notifications_queue_length", slow.url) == 1
        assert exporter.end() == 0
    assert "no answer within 10 s" in exporter.log
    assert "status 404" in exporter.log


@pytest.mark.slow
def test_restarted_exporter_notifies_no_host_twice_and_the_return_of_each(
    start: Launcher, receiver: Receiver, tmp_path: Path
) -> None:
    flags = (f"--notify.url={receiver.url}", FOR, f"--state.file={tmp_path / 'state'}")
    exporter = start.exporter(*flags)
    for name in ("before", "meanwhile"):
        agent = start.agent(name, exporter)
        reports(exporter, name)
        if name == "before":
            agent.kill()
            [first] = notified(receiver, ("firing", DOWN, "before"))
    exporter.end()
    agent.kill()
    exporter = start.exporter(*flags, port=exporter.port)
    notified(receiver, ("firing", DOWN, "before"), ("firing", DOWN, "meanwhile"))
    start.agent("before", exporter)
    found = notified(
        receiver,
        ("firing", DOWN, "before"),
        ("firing", DOWN, "meanwhile"),
        ("resolved", DOWN, "before"),
    )
    assert found[2]["fingerprint"] == first["fingerprint"]
    assert found[2]["startsAt"] == first["startsAt"]


def test_what_is_queued_is_delivered_when_the_exporter_stops(
    start: Launcher, receiver: Receiver
) -> None:
    receiver.answer = lambda number: Answer(503 if number == 0 else 200, {"Retry-After": "300"})
    exporter = start.exporter(f"--notify.url={receiver.url}", FOR)
    silent(exporter)
    wait_until(lambda: len(receiver.requests), bool, "the first try", within=30)
    assert exporter.end() == 0
    assert receiver.said() == [("firing", DOWN, "pi")] * 2
    assert "undelivered" not in exporter.log


def test_receiver_that_does_not_answer_does_not_keep_the_exporter_from_stopping(
    start: Launcher, receiver: Receiver
) -> None:
    receiver.answer = lambda _: Answer(delay=3600)
    exporter = start.exporter(f"--notify.url={receiver.url}", FOR)
    silent(exporter)
    wait_until(lambda: len(receiver.requests), bool, "the first try", within=30)
    exporter.send_signal(signal.SIGTERM)
    assert exporter.ended(within=3.0) == 0
    assert "exporter stops with notifications undelivered" in exporter.log


def test_hangup_reads_the_file_of_the_url_again_and_tries_at_once(
    start: Launcher, receiver: Receiver, tmp_path: Path
) -> None:
    path = tmp_path / "url"
    with Receiver() as old:
        old.answer = lambda _: Answer(503, {"Retry-After": "300"})
        path.touch(0o600)
        path.write_text(f"{old.url}/{SECRET}")
        exporter = start.exporter(f"--notify.url-file={path}", FOR)
        silent(exporter)
        wait_until(lambda: len(old.requests), bool, "the first try", within=30)
        path.write_text("no URL")
        exporter.send_signal(signal.SIGHUP)
        wait_until(lambda: exporter.log, lambda log: "URL file not used" in log, "the error")
        path.write_text(f"{receiver.url}/{SECRET}")
        exporter.send_signal(signal.SIGHUP)
        notified(receiver, ("firing", DOWN, "pi"))
    assert value(exporter, "notifications_total", str(path)) >= 2


def shown_by(exporter: Exporter) -> str:
    """Return all that the exporter shows: log, expositions, API."""
    paths = ("metrics", "api/v1/status", "api/v1/hosts", "sd", "", "page/shell.js")
    return exporter.log + "".join(fetch(f"http://{exporter.target}/{path}") for path in paths)


@pytest.mark.parametrize("level", ["info", "debug"])
def test_secrets_of_urls_are_shown_nowhere(
    start: Launcher, receiver: Receiver, tmp_path: Path, level: str
) -> None:
    receiver.answer = lambda _: Answer(500)
    where = f"user:{SECRET}@127.0.0.1:{receiver.port}/{SECRET}?token={SECRET}"
    names = ("notify", "heartbeat")
    flags = [f"--{name}.url=http://{where}" for name in names]
    flags += [f"--{name}.url=https://{where}" for name in names]
    for name in names:
        path = tmp_path / name
        path.touch(0o600)
        path.write_text(f"http://user:{SECRET}@{SECRET}.invalid/{SECRET}")
        flags.append(f"--{name}.url-file={path}")
    exporter = start.exporter(*flags, FOR, "--heartbeat.interval=1s", f"--log.level={level}")
    silent(exporter)
    here = f"127.0.0.1:{receiver.port}"
    for name, flag in (("notifications", "notify"), ("heartbeats", "heartbeat")):
        for target in (f"http://{here}", f"https://{here}", str(tmp_path / flag)):
            failed = partial(value, exporter, f"{name}_failed_total", target)
            wait_until(failed, bool, target, within=30)
    assert SECRET not in shown_by(exporter)
    exporter.end()
    assert SECRET not in exporter.log
    assert "its name cannot be resolved" in exporter.log


def test_certificate_is_verified_by_the_authorities_of_the_environment(
    start: Launcher, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("receiver", ip="127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with Receiver(context) as receiver:
        flags = (f"--heartbeat.url={receiver.url}", "--heartbeat.interval=1s")
        distrusting = start.exporter(*flags)
        wait_until(lambda: distrusting.log, lambda log: "not accepted" in log, "the error")
        assert receiver.requests == []
        start.exporter(*flags, env={"SSL_CERT_FILE": str(authority.path)})
        wait_until(lambda: len(receiver.requests), bool, "a heartbeat")
        start.close()


def test_heartbeats_are_sent_while_the_exporter_runs(start: Launcher, receiver: Receiver) -> None:
    exporter = start.exporter(f"--heartbeat.url={receiver.url}/ping", "--heartbeat.interval=1s")
    wait_until(lambda: len(receiver.requests), lambda count: count >= 3, "three heartbeats")
    assert {(each.method, each.path) for each in receiver.requests} == {("GET", "/ping")}
    assert value(exporter, "heartbeats_total", receiver.url) >= 2
    assert exporter.page().rows("pombo_exporter_notifications_total") == {}


ROUTE = """
route: {receiver: webhook, group_by: [alertname, instance], group_wait: 0s}
receivers: [{name: webhook, webhook_configs: [{url: '%s'}]}]
"""


def shape(value: Any) -> Any:
    """Return the names and the types in JSON; of a list, those of its first item."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(value[0])] if isinstance(value, list) else type(value)


def test_payload_has_the_fields_of_alertmanagers_and_alertmanager_takes_no_such_json(
    start: Launcher, receiver: Receiver, tmp_path: Path
) -> None:
    exporter = start.exporter(f"--notify.url={receiver.url}", FOR)
    silent(exporter)
    [ours] = notified(receiver, ("firing", DOWN, "pi"))
    with Receiver() as hook:
        config = tmp_path / "alertmanager.yml"
        config.write_text(ROUTE % hook.url)
        port = free_port()
        start.program(
            found("prometheus-alertmanager"),
            f"--config.file={config}",
            f"--storage.path={tmp_path / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        )
        url = f"http://127.0.0.1:{port}/api/v2/alerts"
        wait_until(lambda: fetch(url), bool, "Alertmanager", within=30)
        assert posted(url, receiver.requests[0].body) == 400
        same = {name: ours[name] for name in ("labels", "annotations", "generatorURL")}
        assert posted(url, json.dumps([same]).encode()) == 200
        wait_until(lambda: len(hook.requests), bool, "Alertmanager's webhook", within=30)
        theirs = hook.requests[0].payload
        start.close()
    found_here = receiver.requests[0].payload
    assert shape(found_here) == shape(theirs)
    for name in ("version", "groupKey", "groupLabels", "commonLabels", "commonAnnotations"):
        assert found_here[name] == theirs[name]
    for name in ("labels", "annotations", "status", "generatorURL", "endsAt"):
        assert ours[name] == theirs["alerts"][0][name]


def posted(url: str, body: bytes) -> int:
    """Post JSON; return the status of the answer."""
    headers = {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as response:
            status: int = response.status
            return status
    except urllib.error.HTTPError as error:
        return error.code


def connected(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port)):
        return True


def test_script_of_the_document_passes_alerts_on(start: Launcher, tmp_path: Path) -> None:
    text = (ROOT / "docs/notifications.md").read_text(encoding="utf-8")
    [script] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    port = free_port()
    path = tmp_path / "forward.py"
    path.write_text(script.replace("9095", str(port)), encoding="utf-8")
    with Receiver() as chat:
        chat.answer = lambda number: Answer(500 if number == 0 else 200)
        start.program(sys.executable, str(path), env={"URL": chat.url, "FIELD": "content"})
        wait_until(lambda: connected(port), bool, "the script")
        exporter = start.exporter(f"--notify.url=http://127.0.0.1:{port}", FOR)
        silent(exporter)
        wait_until(lambda: len(chat.requests), (2).__eq__, "two messages", within=30)
        [said] = chat.requests[1].payload.items()
        start.close()
    assert said[0] == "content"
    assert said[1].startswith("firing: pi is down: its last report came at ")


#: A name server that never answers, and one request to the exporter beside it.
SILENT = "import socket, time; s = socket.socket(2, 2); s.bind(('127.0.0.1', 53)); time.sleep(600)"
FETCH = "import urllib.request as r; r.urlopen('http://127.0.0.1:5005/metrics', timeout=2).read()"


@pytest.mark.slow
def test_name_server_that_never_answers_stops_neither_the_exporter_nor_its_end(
    start: Launcher, tmp_path: Path
) -> None:
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")
    namespace = Namespace()
    try:
        namespace.run("ip", "link", "set", "lo", "up")
        namespace.run("mount", "--bind", str(resolver), "/etc/resolv.conf")
        start.program(*namespace.entered(), sys.executable, "-c", SILENT)
        flags = ("--heartbeat.url=http://somewhere.example/", "--heartbeat.interval=1s")
        exporter = start.program(*namespace.entered(), str(BIN / "pombo-exporter"), *flags)
        wait_until(lambda: exporter.log, lambda log: "exporter listens" in log, "its start")

        def said() -> str:
            namespace.run(sys.executable, "-c", FETCH)
            return exporter.log

        log = wait_until(
            said, lambda log: "no answer within 10 s" in log, "a failed one", within=30
        )
        assert "cannot be resolved" not in log
        exporter.send_signal(signal.SIGTERM)
        assert exporter.ended(within=3.0) == 0
    finally:
        start.close()
        namespace.close()


def test_file_of_a_url_that_cannot_be_used_ends_with_1(start: Launcher, tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text(f"http://there/{SECRET}")
    path.chmod(0o644)
    exporter = start.exporter(f"--notify.url-file={path}", ready=False)
    assert exporter.ended() == 1
    assert "chmod o=" in exporter.log
    assert SECRET not in exporter.log
