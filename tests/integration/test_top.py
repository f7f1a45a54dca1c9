"""``pombo-exporter top`` on a real terminal: keys in, a screen out."""

import re
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest
from support.pages import wait_until
from support.processes import BIN, Exporter, Launcher, free_port
from support.senders import HOSTILE_NAMES, Sender, steady
from support.terminals import top


def once(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``top --once`` in a pipe."""
    command = [str(BIN / "pombo-exporter"), "top", "--once", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def fleet(start_once: Launcher) -> Exporter:
    """An exporter with three hosts: one is down, one loses reports, one has labels."""
    exporter = start_once.exporter()
    with Sender("gone", exporter.port, interval=0.2) as sender:
        sender.report(1, *steady(1))
    with Sender("lossy", exporter.port) as sender:
        sender.report(1, *steady(1))
        sender.report(2, *steady(2))
        sender.bye()
        began = time.time_ns() + 1  # another session, with most numbers lost
        for number in (0, 300):
            sender.raw(b'{"host":"lossy","interval":60,"session":%d,"seq":%d}' % (began, number))
    with Sender("well", exporter.port) as sender:
        sender.report(1, ("labels", {"rack": "7"}))
    wait_until(
        exporter.page,
        lambda exposition: exposition.value("pombo_host_up", instance="gone") == 0,
        "one down",
    )
    return exporter


# --- what is shown ---


def test_hosts_with_problems_are_first_and_keys_change_the_order(fleet: Exporter) -> None:
    with top(fleet) as terminal:
        terminal.orders("gone", "lossy", "well")
        terminal.shows("3 of 3 hosts, by trouble", "down", "live", "q quit")
        for key, order in (
            ("n", ("gone", "lossy", "well")),
            ("l", ("lossy", "gone", "well")),
            ("t", ("gone", "lossy", "well")),
        ):
            terminal.type(key)
            terminal.orders(*order)
        for key, title in (("c", "cpu"), ("m", "memory"), ("d", "disk"), ("w", "network")):
            terminal.type(key)
            terminal.shows(f"by {title}")


def test_filter_keeps_hosts_by_name_and_by_label(fleet: Exporter) -> None:
    with top(fleet) as terminal:
        terminal.orders("gone", "lossy", "well")
        terminal.type("/LOSx")
        terminal.shows("filter: LOSx_", "0 of 3 hosts")
        terminal.type("\x7f\r")
        terminal.orders("lossy")
        terminal.type("/rack=7\r")
        terminal.orders("well")
        terminal.type("/")
        terminal.type("\x1b")
        terminal.orders("gone", "lossy", "well")


def test_table_fits_the_terminal_and_has_fewer_columns_on_a_narrow_one(fleet: Exporter) -> None:
    with top(fleet, "--sort=name") as terminal:
        terminal.shows("HOST", "STATE", "AGENT", "ADDRESS")
        terminal.resize(60, 24)
        screen = terminal.shows("HOST", "STATE", "SEEN", "CPU", "lossy", without="AGENT")
        table = [line for line in screen.splitlines()[2:] if line.strip()][:-1]
        assert [len(line.rstrip()) <= 60 for line in table] == [True] * 4
        # Only reasons, which would be in the last column, may be cut.
        assert ["…" in line.rstrip()[:-1] for line in table] == [False] * 4


def test_arrows_and_page_keys_scroll_to_hosts_beyond_the_screen(start: Launcher) -> None:
    exporter = start.exporter()
    names = [f"h{number:02}" for number in range(30)]
    for name in names:
        with Sender(name, exporter.port) as sender:
            sender.report(1)
    wait_until(
        exporter.page,
        lambda exposition: len(exposition.rows("pombo_host_up")) == len(names),
        "all hosts",
    )
    with top(exporter, lines=14) as terminal:
        terminal.orders(*names[:10])
        terminal.type("\x1b[B\x1b[B\x1b[B")  # three keys in one read
        terminal.orders(*names[3:13])
        terminal.type("\x1b[A")
        terminal.orders(*names[2:12])
        terminal.type("\x1b[6~")
        terminal.orders(*names[12:22])
        terminal.type("\x1b[6~\x1b[6~")
        terminal.orders(*names[20:])


def test_no_name_or_label_can_control_the_terminal(start: Launcher) -> None:
    exporter = start.exporter()
    hostile = (
        *HOSTILE_NAMES,
        "\x1b]0;owned\x07",
        "\x1b[2J\x1b[31mred",
        "[bold red]markup[/]",
        "\x9b7m",
    )
    for name in hostile:
        with Sender(name, exporter.port) as sender:
            sender.report(1, ("labels", {"note": "\x1b]0;owned\x07"}))
    wait_until(
        exporter.page,
        lambda exposition: len(exposition.rows("pombo_host_up")) == len(hostile),
        "all hosts",
    )
    with top(exporter) as terminal:
        terminal.shows(
            f"{len(hostile)} of {len(hostile)} hosts", "\\x1b]0;owned\\x07", "[bold red]markup"
        )
        terminal.type("q")
        assert terminal.left() == 0
        for bad in ("\x1b]", "\x07", "\x1b[31mred", "\x1b[2J\x1b[31m", "\x9b", "\u202e"):
            assert bad not in terminal.written
    printed = once(f"http://{exporter.target}")
    assert printed.returncode == 0
    assert len(printed.stdout.splitlines()) == 1 + len(hostile)
    assert printed.stdout.replace("\n", "").isprintable()


def test_busiest_process_of_each_host_is_shown(start: Launcher) -> None:
    exporter = start.exporter()
    header = '"session":1,"seq":0,"parts":1'
    with Sender("quiet", exporter.port) as sender:
        sender.raw(b'{"host":"quiet",%b}' % header.encode())
        for host, name in (("busy", "post gres"), ("evil", "\\u202e[red]x\\u2028")):
            table = f'{{"pid":["7","8"],"name":["idle","{name}"],"cpu":[0,1.5]}}'
            sender.raw(f'{{"host":"{host}",{header},"processes":{table}}}'.encode())
    wait_until(
        exporter.page,
        lambda exposition: len(exposition.rows("pombo_host_up")) == 3,
        "all hosts",
    )
    with top(exporter, "--sort=name") as terminal:
        screen = terminal.shows("PROCESS", "150 % post gres", "150 % \\u202e[red]x\\u2028")
        quiet = next(line for line in screen.splitlines() if line.startswith("quiet"))
        assert "150 %" not in quiet
    printed = once(f"http://{exporter.target}")
    assert printed.stdout.replace("\n", "").isprintable()
    assert "post gres" not in exporter.page().text


# --- exit, stop and restart ---


@pytest.mark.parametrize("how", ["q", "\x03", signal.SIGTERM])
def test_terminal_is_restored_on_exit(fleet: Exporter, how: str | signal.Signals) -> None:
    with top(fleet) as terminal:
        terminal.orders("gone", "lossy", "well")
        assert termios.tcgetattr(terminal.keyboard) != terminal.before
        if isinstance(how, signal.Signals):
            terminal.process.send_signal(how)
        else:
            terminal.type(how)
        assert terminal.left() == 0


def test_terminal_is_restored_while_top_is_stopped_with_ctrl_z(fleet: Exporter) -> None:
    with top(fleet) as terminal:
        terminal.orders("gone", "lossy", "well")
        terminal.type("\x1a")
        stat = Path(f"/proc/{terminal.process.pid}/stat")
        wait_until(stat.read_text, lambda text: text.rpartition(")")[2].split()[0] == "T", "a stop")
        assert terminal.is_as_before()
        terminal.process.send_signal(signal.SIGCONT)
        wait_until(terminal.is_as_before, lambda before: not before, "the table again")
        terminal.type("/well\r")
        terminal.orders("well")
        terminal.type("q")
        assert terminal.left() == 0


def test_exporter_that_ends_is_reported_and_its_restart_is_shown(start: Launcher) -> None:
    exporter = start.exporter()
    with Sender("one", exporter.port) as sender, top(exporter) as terminal:
        sender.report(1)
        terminal.orders("one")
        exporter.kill()
        terminal.shows("as last seen, and asking again", "Connection refused", "one")
        again = start.exporter(port=exporter.port)
        assert again.port == exporter.port
        terminal.shows("0 of 0 hosts", without="asking again")
        with Sender("two", exporter.port) as other:
            other.report(1)
            terminal.orders("two")


def test_top_may_start_before_the_exporter(start: Launcher) -> None:
    port = free_port()
    with top(f"http://127.0.0.1:{port}") as terminal:
        terminal.shows("asking again", "Connection refused")
        exporter = start.exporter(port=port)
        with Sender("one", exporter.port) as sender:
            sender.report(1)
            terminal.orders("one")


# --- for scripts ---


def test_once_prints_one_plain_table(fleet: Exporter) -> None:
    printed = once(f"http://{fleet.target}", "--sort=name")
    assert (printed.returncode, printed.stderr) == (1, "")  # "gone" is critical
    head, *lines = [re.split(r"  +", line) for line in printed.stdout.splitlines()]
    assert head[:3] == ["HOST", "STATE", "SEEN"]
    assert [line[:2] for line in lines] == [["gone", "down"], ["lossy", "live"], ["well", "live"]]
    assert "\x1b" not in printed.stdout
    assert [
        line.split()[0] for line in once(fleet.target, "--filter=rack=7").stdout.splitlines()
    ] == [
        "HOST",
        "well",
    ]


def test_once_ends_with_1_only_if_a_host_that_is_shown_is_critical(fleet: Exporter) -> None:
    for text, code, words in (
        ("gone", 1, ["critical", "no report for more than 600 ms"]),
        ("rack=7", 0, ["ok"]),
        ("nothing has this", 0, []),
    ):
        printed = once(fleet.target, f"--filter={text}")
        assert (printed.returncode, printed.stderr) == (code, "")
        assert all(word in printed.stdout for word in words)


def test_once_without_an_exporter_prints_the_error_and_ends_with_2() -> None:
    printed = once(f"http://127.0.0.1:{free_port()}")
    assert (printed.returncode, printed.stdout) == (2, "")
    assert "Connection refused" in printed.stderr


def test_answer_of_another_server_is_an_error_that_names_the_cause(fleet: Exporter) -> None:
    printed = once(f"http://{fleet.target}/elsewhere")
    assert (printed.returncode, printed.stdout) == (2, "")
    assert "is it an exporter?" in printed.stderr


def test_live_table_in_a_pipe_is_an_error_that_names_the_flag(fleet: Exporter) -> None:
    command = [str(BIN / "pombo-exporter"), "top", f"http://{fleet.target}"]
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--once" in ended.stderr
