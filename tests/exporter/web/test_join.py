"""`/join` over HTTP: the installer, the agents as a file server has them, and who may have them."""

import asyncio
import hashlib
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientResponse, ClientSession, TCPConnector
from pombo_exporter.stats import HttpCounters
from pombo_exporter.web.base import Base
from pombo_exporter.web.join import JoinOptions
from pombo_exporter.web.toolkit.access import Access
from pombo_exporter.web.toolkit.config import WebConfig
from support.certificates import password_hash
from support.served import Client, Served, get, visit

GLIBC, MUSL = "pombo-agent-linux-x86_64-glibc.pex", "pombo-agent-linux-aarch64-musl.pex"
AGENT = f"/join/agents/{GLIBC}"
CONTENT = bytes(range(256)) * 2000
PATHS = ["/join", "/join/", "/join/files", "/join/install.sh", AGENT, "/join/agents/SHA256SUMS"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / GLIBC).write_bytes(CONTENT)
    (tmp_path / MUSL).write_bytes(b"another agent")
    (tmp_path / "SHA256SUMS").write_text("nothing reads this\n")
    (tmp_path / "secret.pex").write_text("not an agent's name")
    return tmp_path


def served(folder: Path | None, *, public: bool = False, access: Access | None = None) -> Served:
    return Served(joining=JoinOptions(folder, public=public), access=access)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_agent_is_served_as_it_is(folder: Path) -> None:
    response, body = get(served(folder), AGENT)
    assert (response.status, body) == (200, CONTENT)
    assert response.headers["Content-Length"] == str(len(CONTENT))
    assert response.content_type == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    head, body = get(served(folder), AGENT, "HEAD")
    assert (head.status, body) == (200, b"")
    for name in ("ETag", "Content-Length", "Accept-Ranges"):
        assert head.headers[name] == response.headers[name]


def test_agent_that_a_client_has_is_not_sent_again(folder: Path) -> None:
    for tag in (f'"{sha256(CONTENT)}"', "*"):
        response, body = get(served(folder), AGENT, If_None_Match=tag)
        assert (response.status, body) == (304, b"")
    response, body = get(served(folder), AGENT, If_None_Match='"other"')
    assert (response.status, body) == (200, CONTENT)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1000-1999", 1000, 2000),
        ("bytes=511999-", 511_999, 512_000),
        ("bytes=-5", 511_995, 512_000),
        ("bytes=500000-900000", 500_000, 512_000),
        ("bytes=-900000", 0, 512_000),
    ],
)
def test_range_of_an_agent_is_sent(folder: Path, asked: str, start: int, end: int) -> None:
    response, body = get(served(folder), AGENT, Range=asked)
    assert (response.status, body) == (206, CONTENT[start:end])
    assert response.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert response.headers["Content-Length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=512000-", "bytes=600000-700000"])
def test_range_after_the_end_is_416(folder: Path, asked: str) -> None:
    response, _ = get(served(folder), AGENT, Range=asked)
    assert response.status == 416
    assert response.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("asked", ["bytes=x", "bytes=0-1,5-6", "lines=1-2"])
def test_range_that_is_none_is_ignored(folder: Path, asked: str) -> None:
    response, body = get(served(folder), AGENT, Range=asked)
    assert (response.status, body) == (200, CONTENT)


def test_range_of_what_has_changed_since_is_everything(folder: Path) -> None:
    answers = [
        get(served(folder), AGENT, Range="bytes=0-9", If_Range=tag)[0].status
        for tag in (f'"{sha256(CONTENT)}"', '"older"')
    ]
    assert answers == [206, 200]


@pytest.mark.parametrize(
    "path",
    [
        *("/join/agents/secret.pex", "/join/agents/", "/join/agents/..%2Fsecret.pex"),
        *("/join/agents/../secret.pex", "/join/agents/pombo-agent-linux-riscv64-glibc.pex"),
        *("/join/other", "/page/join.html"),
    ],
)
def test_nothing_else_is_served(folder: Path, path: str) -> None:
    assert get(served(folder), path)[0].status == 404


def test_installer_has_the_checksums_of_the_agents(folder: Path) -> None:
    response, body = get(served(folder), "/join/install.sh")
    assert response.status == 200
    lines = body.decode().split("\n")
    assert f"{sha256(CONTENT)} {len(CONTENT)} {GLIBC}" in lines
    assert f"{sha256(b'another agent')} 13 {MUSL}" in lines
    assert response.headers["ETag"] == f'"{sha256(body)}"'
    again, _ = get(served(folder), "/join/install.sh", If_None_Match=f'"{sha256(body)}"')
    assert again.status == 304


def test_checksums_are_those_that_sha256sum_checks(folder: Path) -> None:
    _, body = get(served(folder), "/join/agents/SHA256SUMS")
    lines = sorted([f"{sha256(CONTENT)}  {GLIBC}", f"{sha256(b'another agent')}  {MUSL}"])
    assert sorted(body.decode().splitlines()) == lines


def test_page_knows_the_files(folder: Path) -> None:
    exporter = served(folder)
    found = json.loads(get(exporter, "/join/files")[1])
    _, installer = get(served(folder), "/join/install.sh")
    shown = {file["name"]: (file["size_bytes"], file["sha256"]) for file in found["agents"]}
    assert shown == {GLIBC: (512_000, sha256(CONTENT)), MUSL: (13, sha256(b"another agent"))}
    assert found["installer"]["sha256"] == sha256(installer)
    assert found["live"] is True


def test_agent_that_changes_is_served_with_its_new_checksum(folder: Path) -> None:
    async def use(client: Client) -> list[bytes]:
        found = []
        for content in (CONTENT, b"newer"):
            (folder / GLIBC).write_bytes(content)
            found += [await (await client.get(path)).read() for path in (AGENT, "/join/install.sh")]
        return found

    before, _, after, installer = visit(served(folder), use)
    assert (before, after) == (CONTENT, b"newer")
    assert sha256(b"newer").encode() in installer


@pytest.mark.parametrize("exists", [True, False])
def test_exporter_without_agents_says_so(tmp_path: Path, *, exists: bool) -> None:
    where = tmp_path if exists else tmp_path / "none"
    response, body = get(served(where), AGENT)
    assert response.status == 404
    assert b"--web.join-files" in body
    assert json.loads(get(served(where), "/join/files")[1])["agents"] == []
    assert get(served(where), "/join")[0].status == 200


@pytest.mark.parametrize("path", PATHS)
def test_without_joining_nothing_is_served(path: str) -> None:
    assert get(Served(), path)[0].status == 404


def test_page_of_all_hosts_leads_to_that_which_adds_one_if_it_is_served(folder: Path) -> None:
    link = b'<a href="join">Add a host</a>'
    assert link in get(served(folder), "/")[1]
    assert link not in get(Served(), "/")[1]


def test_paths_have_the_prefix(folder: Path) -> None:
    exporter = Served(joining=JoinOptions(folder), base=Base("/pombo"))
    assert get(exporter, f"/pombo{AGENT}")[1] == CONTENT


def test_path_with_a_slash_leads_to_the_page(folder: Path) -> None:
    async def use(client: Client) -> tuple[int, str]:
        response = await client.get("/pombo/join/")
        return response.status, response.url.path

    exporter = Served(joining=JoinOptions(folder), base=Base("/pombo"))
    assert visit(exporter, use) == (200, "/pombo/join")


class Elsewhere:
    """Clients at other addresses of this machine. None reads what it downloads."""

    def __init__(self, client: Client) -> None:
        self._url = client.make_url("/")
        self._sessions: list[ClientSession] = []
        self._responses: list[ClientResponse] = []

    async def download(self, address: str) -> ClientResponse:
        connector = TCPConnector(local_addr=(address, 0))
        self._sessions.append(ClientSession(connector=connector))
        self._responses.append(await self._sessions[-1].get(self._url.with_path(AGENT)))
        return self._responses[-1]

    async def close(self) -> None:
        for response in self._responses:
            response.close()
        for session in self._sessions:
            await session.close()


def downloading(
    folder: Path, use: Callable[[Client, Elsewhere], Awaitable[Any]], **options: Any
) -> Any:
    (folder / GLIBC).write_bytes(bytes(32_000_000))  # more than sockets hold

    async def visited(client: Client) -> Any:
        elsewhere = Elsewhere(client)
        try:
            return await use(client, elsewhere)
        finally:
            await elsewhere.close()

    return visit(Served(joining=JoinOptions(folder, **options)), visited)


def test_downloads_beyond_20_at_a_time_are_told_to_come_back(folder: Path) -> None:
    async def use(client: Client, elsewhere: Elsewhere) -> tuple[list[int], list[int], str]:
        first = [await client.get(AGENT) for _ in range(10)]
        others = [await elsewhere.download("127.0.0.2") for _ in range(10)]
        more = await elsewhere.download("127.0.0.3")
        page = await client.get("/metrics")
        for each in first:
            each.close()
        while (later := await client.get(AGENT)).status == 503:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        after = more.headers["Retry-After"]
        statuses = [each.status for each in (*first, *others)]
        return statuses, [more.status, page.status, later.status], after

    assert downloading(folder, use) == ([200] * 20, [503, 200, 200], "5")


def test_one_address_takes_at_most_half_of_the_places(folder: Path) -> None:
    async def use(client: Client, elsewhere: Elsewhere) -> tuple[list[int], int, int]:
        first = [await client.get(AGENT) for _ in range(10)]
        more = await client.get(AGENT)
        other = await elsewhere.download("127.0.0.2")
        return [each.status for each in first], more.status, other.status

    assert downloading(folder, use, patience=0.0) == ([200] * 10, 503, 200)


def test_slow_download_gives_way_where_all_places_are_taken(folder: Path) -> None:
    async def use(client: Client, elsewhere: Elsewhere) -> tuple[int, list[bool]]:
        first = [await client.get(AGENT) for _ in range(10)]
        for _ in range(10):
            await elsewhere.download("127.0.0.2")
        more = await elsewhere.download("127.0.0.3")
        await more.read()
        whole = []
        for each in first[:2]:
            try:
                whole.append(len(await each.read()) == 32_000_000)
            except ClientError:
                whole.append(False)
        return more.status, whole

    assert downloading(folder, use, patience=0.0) == (200, [False, True])


# --- odd files ---


def names(folder: Path) -> list[str]:
    return [file["name"] for file in json.loads(get(served(folder), "/join/files")[1])["agents"]]


def test_link_out_of_the_folder_is_no_agent(folder: Path) -> None:
    other, secret = folder.parent / "outside", b"key of the fleet"
    other.write_bytes(secret)
    (folder / MUSL).unlink()
    (folder / MUSL).symlink_to(other)
    assert names(folder) == [GLIBC]
    assert get(served(folder), f"/join/agents/{MUSL}")[0].status == 404
    (folder / MUSL).unlink()
    (folder / MUSL).symlink_to(GLIBC)
    assert names(folder) == [MUSL, GLIBC]


def test_folder_may_be_a_link(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("links") / "agents"
    link.symlink_to(folder)
    assert names(link) == [MUSL, GLIBC]


def test_file_that_no_agent_has_is_left_out_and_not_read(folder: Path) -> None:
    mips, arm, s390, own = (f"pombo-agent-linux-{each}-musl.pex" for each in ("m", "a", "s", "o"))
    with (folder / mips).open("wb") as file:
        file.truncate(2**40)  # would take an hour to read
    os.mkfifo(folder / arm)  # would never end
    (folder / s390).symlink_to(s390)
    (folder / own).mkdir()
    assert names(folder) == [MUSL, GLIBC]


# --- with passwords ---


def guarded(folder: Path, *, public: bool) -> Served:
    users = {"alice": password_hash("secret").encode()}
    access = Access(lambda: WebConfig(users=users), HttpCounters())
    return served(folder, public=public, access=access)


@pytest.mark.parametrize("path", PATHS)
def test_a_password_is_needed_where_others_need_one(folder: Path, path: str) -> None:
    assert get(guarded(folder, public=False), path)[0].status == 401


@pytest.mark.parametrize("path", [*PATHS, "/page/style.css", "/page/join_page.js"])
def test_public_files_need_no_password(folder: Path, path: str) -> None:
    assert get(guarded(folder, public=True), path)[0].status == 200


@pytest.mark.parametrize(
    "path", ["/", "/host", "/live", "/live?host=x", "/metrics", "/api/v1/hosts"]
)
def test_all_else_needs_a_password_beside_public_files(folder: Path, path: str) -> None:
    assert get(guarded(folder, public=True), path)[0].status == 401


def test_public_page_may_not_look_for_hosts(folder: Path) -> None:
    _, body = get(guarded(folder, public=True), "/join/files")
    assert json.loads(body)["live"] is False
