"""The servers that a host may report to, and which of them it uses: the check of the mode."""

from collections.abc import Sequence
from functools import partial
from time import monotonic

from pombo_agent import loop
from pombo_agent.check import remedies
from pombo_agent.check.facts import Findings, Mark
from pombo_agent.check.server import Task
from pombo_agent.collecting.deadlines import start_thread
from pombo_agent.servers import Endpoint, Listed
from pombo_agent.settings import Options, ServerMode, has_answers
from pombo_agent.transport.background import Background
from pombo_agent.transport.listing import find
from pombo_agent.wakeup import EventWaiter


def servers_of(task: Task, host: Findings) -> list[Endpoint]:
    """Return all servers in the order in which this host prefers them.

    Those that a name stands for are looked up, at the same time; what came of it is added.
    """
    names = [each for each in task.options.servers if isinstance(each, Listed)]
    found = _looked_up(task, names)
    if names:
        _about_names(host, found)
    servers: dict[str, Endpoint] = {}
    for each in task.options.servers:
        result = found[each] if isinstance(each, Listed) else [each]
        if not isinstance(result, Exception):
            servers |= {str(server): server for server in result}
    return [servers[name] for name in loop.order_of(task.options)([*servers])]


def _looked_up(task: Task, names: Sequence[Listed]) -> dict[Listed, Sequence[Endpoint] | Exception]:
    """Look all names up, each in a thread; return the servers of each, or why there are none."""
    lookups = {}
    for name in names:
        lookups[name] = Background(partial(find, name), EventWaiter(), start_thread)
        lookups[name].begin(0)
    found: dict[Listed, Sequence[Endpoint] | Exception] = {}
    end = task.until(task.timeout)
    for name, lookup in lookups.items():
        lookup.wait(end - monotonic())
        found[name] = lookup.take() or TimeoutError("the resolver does not answer")
    return found


def _about_names(host: Findings, found: dict[Listed, Sequence[Endpoint] | Exception]) -> None:
    """Say which servers the names stand for."""
    texts, needed = [], []
    for name, result in found.items():
        if isinstance(result, Exception):
            texts.append(f"{name}: {result}")
            needed.append(remedies.check_list(name))
        else:
            plural = "s" if len(result) != 1 else ""
            texts.append(f"{name} has {len(result)} server{plural}")
    values = {
        str(name): [] if isinstance(result, Exception) else [*map(str, result)]
        for name, result in found.items()
    }
    if needed:
        host.wrong("names", "; ".join(texts), *needed, names=values)
    else:
        host.ok("names", "; ".join(texts), names=values)


def about_mode(host: Findings, options: Options, servers: Sequence[Findings]) -> None:
    """Say in which order this host prefers the servers, and which of them get its reports.

    ``servers`` are in that order. With answers, those that answer get reports.
    """
    if options.server_mode == ServerMode.ALL.value or not servers:
        return
    count = loop.choice_of(options).replicas or len(servers)
    answering = [each for each in servers if _answers(each)] if has_answers(options) else servers
    rest = [each for each in servers if each not in answering]
    used = [*answering, *rest][:count]
    for each in servers:
        if each not in used:
            each.excuse("reports")  # where it was left while it was silent, the host is down there
    shown = [f"{each.title} (in use)" if each in used else each.title for each in servers]
    text = f"{loop.mode_text(options)}, in the order of this host: {', '.join(shown)}"
    values = {
        "mode": options.server_mode,
        "replicas": count,
        "order": [each.title for each in servers],
        "in_use": [each.title for each in servers if each in used],
    }
    if not has_answers(options):
        host.note("mode", f"{text}; without answers, none replaces one that is dead", **values)
    else:
        host.ok("mode", text, **values)


def _answers(server: Findings) -> bool:
    return any(fact.key == "answer" and fact.mark is Mark.OK for fact in server.facts)
