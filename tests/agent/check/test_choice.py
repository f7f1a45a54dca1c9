"""Which servers a check says that a host uses."""

import pytest
from click.testing import CliRunner
from pombo_agent.check.choice import about_mode
from pombo_agent.check.facts import Findings, Mark, Remedy
from pombo_agent.options import command
from pombo_agent.settings import Options


def options(*flags: str, key_file: str = "key") -> Options:
    given: list[Options] = []
    servers = [f"--server={each}" for each in "abc"]
    result = CliRunner().invoke(command(given.append), [*servers, *flags])
    assert result.exit_code == 0, result.output
    return given[0]._replace(key_file=key_file)


def servers(*answering: str) -> list[Findings]:
    """Return the findings of three servers, in the order of the host."""
    found = [Findings(each) for each in "abc"]
    for each in found:
        if each.title in answering:
            each.ok("answer", "hears")
        else:
            each.wrong("answer", "no answer", Remedy("Start it."))
        each.wrong("reports", "shows pi as down", Remedy("Start the agent."))
    return found


def in_use(found: list[Findings], given: Options) -> list[str]:
    """Return the servers that are said to be used."""
    host = Findings("This host")
    about_mode(host, given, found)
    [fact] = host.facts
    assert fact.values["order"] == ["a", "b", "c"]
    names: list[str] = fact.values["in_use"]
    assert fact.text.count("(in use)") == len(names)
    return names


@pytest.mark.parametrize(
    ("answering", "used"),
    [("abc", "ab"), ("bc", "bc"), ("ac", "ac"), ("c", "ac"), ("", "ab")],
)
def test_preferred_servers_that_answer_are_in_use(answering: str, used: str) -> None:
    shard = options("--server-mode=shard", "--server-replicas=2")
    assert in_use(servers(*answering), shard) == [*used]


def test_without_a_key_preferred_servers_are_in_use() -> None:
    shard = options("--server-mode=shard", "--server-replicas=2", key_file="")
    assert in_use(servers("c"), shard) == ["a", "b"]


def test_host_that_is_down_at_a_server_not_in_use_is_no_fault() -> None:
    found = servers("a", "b", "c")
    shard = options("--server-mode=shard", "--server-replicas=2")
    assert in_use(found, shard) == ["a", "b"]
    assert [each.is_ok for each in found] == [False, False, True]
    marks = {fact.key: fact.mark for fact in found[2].facts}
    assert marks == {"answer": Mark.OK, "reports": Mark.NOTE}
    assert found[2].advice == []


def test_mode_is_not_said_where_all_servers_get_reports() -> None:
    host = Findings("This host")
    about_mode(host, options(), servers("a"))
    assert host.facts == []
