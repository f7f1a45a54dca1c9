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
        terminal.shows("3 of 3 hosts, by trouble", "down", "live", "q quit", "? help")
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


def test_filter_has_several_words_and_a_wrong_one_is_explained(fleet: Exporter) -> None:
    with top(fleet) as terminal:
        terminal.orders("gone", "lossy", "well")
        terminal.type("/-state:down -rack=7")
        terminal.orders("lossy")
        terminal.type(" cpu>")
        terminal.shows("write a number after >: cpu>80")
        terminal.type("99")
        terminal.shows("no host matches", without="write a number")
        terminal.type("\x1b/state:x")
        terminal.shows("there is no such state: write one of live, late, down")
        terminal.type("\x7fdown")
        terminal.orders("gone")


def test_80_columns_have_what_matters_and_wider_screens_have_more(fleet: Exporter) -> None:
    with top(fleet, "--sort=name") as terminal:
        terminal.shows("HOST", "STATE", "SEEN", "ATTENTION")
        terminal.resize(80, 24)
        screen = terminal.shows(
            *("HOST", "SEVERITY", "CPU", "MEMORY", "DISK", "NETWORK"), without="SEEN"
        )
        assert len(screen.splitlines()) == 24
        assert max(len(line.rstrip()) for line in screen.splitlines()) <= 80
        terminal.resize(300, 24)
        terminal.shows("HOST", "STATE", "ADDRESS", "AGENT", "LABELS", "rack=7")


def test_totals_of_the_fleet_are_above_the_table(fleet: Exporter) -> None:
    with top(fleet) as terminal:
        terminal.shows("1 down", "1 needs attention", "cores", "memory", "loss")
        terminal.type("a")
        terminal.orders("gone")
        terminal.type("a")
        terminal.orders("gone", "lossy", "well")


def test_selected_host_is_explained_and_stays_selected_in_another_order(fleet: Exporter) -> None:
    with top(fleet) as terminal:
        terminal.shows("gone: no report for more than 600 ms")
        terminal.type("\x1b[B")
        terminal.shows("lossy: nothing needs attention", without="gone: no report")
        terminal.type("r")
        terminal.orders("well", "lossy", "gone")
        terminal.shows("reversed", "lossy: ")
        terminal.type("G")
        terminal.shows("gone: no report")
        terminal.type("g")
        terminal.shows("well: nothing needs attention")


def test_help_lists_the_keys_until_any_key(fleet: Exporter) -> None:
    with top(fleet, columns=80) as terminal:
        terminal.orders("gone", "lossy", "well")
        terminal.type("?")
        terminal.shows("KEYS", "FILTER", "reverse", "-word", "uptime<1h, clock", without="SEVERITY")
        terminal.type("x")
        terminal.orders("gone", "lossy", "well")


# --- one host ---


def test_enter_opens_the_selected_host_and_esc_comes_back(fleet: Exporter) -> None:
    with top(fleet) as terminal:
        terminal.orders("gone", "lossy", "well")
        terminal.type("\r")
        terminal.shows(
            *("gone  critical  down", "! critical: no report for more than 600 ms"),
            *("all values are those of that report", "MEMORY ──", "Esc back"),
            without="3 of 3 hosts",
        )
        terminal.type("\x1b")
        terminal.orders("gone", "lossy", "well")
        terminal.type("\x1b[B\r")
        terminal.shows("lossy  ok  live", "nothing needs attention")


def test_real_agent_is_shown_with_its_cores_disks_and_processes(start: Launcher) -> None:
    exporter = start.exporter()
    start.agent("real", exporter, interval="1s", flags=["--collector.top-processes"])
    with top(exporter, columns=120, lines=200) as terminal:
        terminal.orders("real")
        terminal.type("\r")
        terminal.shows(
            *("real  ", "CPU ──", "MEMORY ──", "FILESYSTEMS ──", "NETWORKS ──"),
            *("PROCESSES BY CPU ──", "PROCESSES BY MEMORY ──"),
        )


def test_host_with_more_lines_than_the_screen_can_be_scrolled(start: Launcher) -> None:
    exporter = start.exporter()
    with Sender("long", exporter.port) as sender:
        sender.report(1, *steady(1))
        sender.report(2, *steady(2))
    with top(exporter, columns=80) as terminal:
        terminal.orders("long")
        terminal.type("\r")
        terminal.shows("CPU ──", "more lines below", without="dev0 ")
        terminal.type("G")
        terminal.shows("dev0 ", without="more lines below")
        terminal.type("g")
        terminal.shows("CPU ──", "more lines below")


@pytest.mark.parametrize(
    "name", ["a/b c", "100%25", "?x#y", "\x1b[2Jred", "数据库 🐦", "two\nlines"]
)
def test_host_of_any_name_can_be_opened(start: Launcher, name: str) -> None:
    exporter = start.exporter()
    with Sender(name, exporter.port) as sender:
        sender.report(1, *steady(1))
        sender.report(2, *steady(2))
    with top(exporter) as terminal:
        terminal.shows("1 of 1 hosts")
        terminal.type("\r")
        terminal.shows("nothing needs attention", "CPU ──", "MEMORY ──", "NETWORKS ──", "Esc back")
        terminal.type("q")
        assert terminal.left() == 0
        assert "\x1b[2Jred" not in terminal.written


def test_open_host_that_is_forgotten_says_so(start: Launcher) -> None:
    exporter = start.exporter("--host.forget-after=1s")
    with Sender("brief", exporter.port, interval=0.2) as sender, top(exporter) as terminal:
        sender.report(1, *steady(1))
        terminal.orders("brief")
        terminal.type("\r")
        terminal.shows("the exporter no longer has this host", "brief  ")
        terminal.type("\x1b")
        terminal.shows("no host has reported yet", "0 of 0 hosts")


# --- scrolling and hostile names ---


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
    with top(exporter, lines=16) as terminal:
        terminal.orders(*names[:10])
        terminal.type("\x1b[B\x1b[B\x1b[B")  # three keys in one read
        terminal.shows("h03: ")
        terminal.orders(*names[:10])
        terminal.type("\x1b[6~")
        terminal.shows("h13: ")
        terminal.orders(*names[4:14])
        terminal.type("\x1b[A")
        terminal.shows("h12: ")
        terminal.orders(*names[4:14])
        terminal.type("\x1b[F")
        terminal.orders(*names[20:])
        terminal.type("\x1b[5~\x1b[5~\x1b[5~")
        terminal.orders(*names[:10])


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
    with top(exporter, columns=300) as terminal:
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
    with top(exporter, "--sort=name", columns=240) as terminal:
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
