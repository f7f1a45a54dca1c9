"""A handshake that is not finished ends, and is counted and logged once a minute."""

import asyncio
import logging
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web
from pombo_exporter.stats import HttpCounters
from pombo_exporter.web.server import Server
from pombo_exporter.web.toolkit.config import read_web_config
from pombo_exporter.web.toolkit.files import Files
from pombo_exporter.web.toolkit.handshake import Handshakes
from support.certificates import Authority
from support.served import DEADLINE

TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    Authority(tmp_path).issue("server", ip="127.0.0.1")
    path = tmp_path / "web.yml"
    path.write_text(TLS)
    context = read_web_config(path, Files()).tls
    assert context is not None
    return context


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00"], ids=["nothing", "a beginning"])
def test_handshake_that_takes_too_long_ends(
    context: ssl.SSLContext, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> int:
        counters = HttpCounters()
        handshakes = Handshakes(lambda: context, counters, timeout=0.05)
        server = Server(web.Application(), counters, before=handshakes.accept)
        listener = socket.create_server(("127.0.0.1", 0))
        async with asyncio.timeout(DEADLINE):
            await server.start(listener)
            for _ in range(3):
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                writer.write(sent)
                with suppress(ConnectionError):
                    assert await reader.read() == b""
                writer.close()
            await server.stop(asyncio.Event())
        return counters.refused["tls_handshake"]

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(main()) == 3
    (record,) = caplog.records
    assert record.getMessage() == "TLS handshake failed"
    assert vars(record)["fields"] == {"address": "127.0.0.1", "error": "it has taken too long"}
