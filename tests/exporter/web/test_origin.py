"""Who may forget a host: programs, and no page of another site."""

import pytest
from pombo_exporter.web.base import Base, ExternalUrl
from pombo_wire import Report
from support.served import Served, get

EXTERNAL = ExternalUrl("https", "pombo.example.org", "pombo.example.org", "")


def forget(external: ExternalUrl | None = None, **headers: str) -> tuple[int, str, bool]:
    """Return the status and the text of the answer, and whether the host is still there."""
    served = Served(base=Base("", external), admin=True)
    served.take(Report("pi"))
    response, body = get(served, "/api/v1/hosts/pi", "DELETE", **headers)
    refused = served.counters.http.refused["foreign"]
    assert refused == (response.status == 403)
    return response.status, body.decode(), served.exporter.roster.find("pi") is not None


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:5005", "127.0.0.1:5005", "192.0.2.1", "[::1]:5005", "[2001:db8::1]"],
)
def test_program_forgets_a_host_at_an_address_of_the_machine(host: str) -> None:
    assert forget(Host=host) == (204, "", False)
    assert (
        forget(Host=host, Origin=f"http://{host.lower()}", Sec_Fetch_Site="same-origin")[0] == 204
    )


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:5005", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("", "pombo.example.org", "[::1].evil.example", "localhost@evil.example", "[x", "a:b:c"),
        *("evil.example#localhost", "evil.example/localhost", "127.0.0.1 evil"),
    ],
)
def test_request_for_another_name_is_refused_for_it_may_be_dns_rebinding(host: str) -> None:
    status, text, is_there = forget(Host=host)
    assert (status, is_there) == (403, True)
    assert "--web.external-url" in text


@pytest.mark.parametrize("host", ["pombo.example.org", "Pombo.Example.org:443", "localhost"])
@pytest.mark.parametrize("origin", ["https://pombo.example.org", ""])
def test_host_is_forgotten_at_the_external_url(host: str, origin: str) -> None:
    headers = {"Origin": origin} if origin else {}
    assert forget(EXTERNAL, Host=host, **headers) == (204, "", False)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "file://"},
        {"Origin": ""},
        {"Origin": "http://localhost"},  # another port
        {"Origin": "http://localhost:5005.evil.example"},
        {"Origin": "http://pombo.example.org"},  # another scheme
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": ""},
        {"Origin": "http://localhost:5005", "Sec_Fetch_Site": "cross-site"},
    ],
)
def test_request_of_a_page_of_another_site_is_refused(headers: dict[str, str]) -> None:
    status, text, is_there = forget(EXTERNAL, Host="localhost:5005", **headers)
    assert (status, is_there) == (403, True)
    assert "curl" in text


@pytest.mark.parametrize("path", ["/", "/metrics", "/sd", "/api/v1/hosts"])
def test_reading_is_open_to_all(path: str) -> None:
    headers = {"Origin": "http://evil.example", "Sec_Fetch_Site": "cross-site"}
    response, _ = get(Served(), path, Host="evil.example", **headers)
    assert response.status == 200
    assert not any(name.startswith("Access-Control") for name in response.headers)
