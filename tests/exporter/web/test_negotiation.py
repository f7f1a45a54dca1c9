"""Which format and which coding a client gets, by RFC 9110."""

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict
from pombo_exporter.web.negotiation import exposition_format, gzip_accepted

OPENMETRICS = "application/openmetrics-text"

#: What Prometheus 3 sends with its default `scrape_protocols`.
PROMETHEUS = (
    f"{OPENMETRICS};version=1.0.0;escaping=allow-utf-8;q=0.6,{OPENMETRICS};version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)

FORMATS = [
    (False, []),
    (False, [""]),
    (False, ["*/*"]),
    (False, ["application/*"]),
    (False, ["text/plain;version=0.0.4"]),
    (True, [PROMETHEUS]),
    (True, [OPENMETRICS]),
    (True, [OPENMETRICS.upper()]),
    (True, [f"{OPENMETRICS}; version=1.0.0; charset=utf-8"]),
    (True, [f'{OPENMETRICS};version="1.0.0"']),
    (True, [f"{OPENMETRICS};version=0.0.1"]),
    (False, [f"{OPENMETRICS};version=2.0.0"]),
    (True, [f"{OPENMETRICS};version=2.0.0,{OPENMETRICS};q=0.1"]),
    (True, ["text/html", f"{OPENMETRICS};q=0.1"]),
    # Quality.
    (False, [f"{OPENMETRICS};q=0"]),
    (False, [f"{OPENMETRICS};q=0.0"]),
    (False, [f"{OPENMETRICS};q=0.000,*/*"]),
    (False, [f"{OPENMETRICS};Q=0"]),
    (False, [f"{OPENMETRICS} ; q = 0"]),
    (True, [f"{OPENMETRICS};q=0.001"]),
    (True, [f"{OPENMETRICS};q=1.000,text/plain"]),
    (True, [f"text/plain,{OPENMETRICS}"]),
    (True, [f"text/plain;q=0.4,{OPENMETRICS};q=0.5"]),
    (False, [f"text/plain;q=0.5,{OPENMETRICS};q=0.4"]),
    (False, [f"*/*;q=0.5,{OPENMETRICS};q=0.4"]),
    (True, [f"*/*;q=0.9,text/plain;q=0.1,{OPENMETRICS};q=0.4"]),
    (True, [f"text/*;q=0.3,*/*;q=0.9,{OPENMETRICS};q=0.4"]),
    (True, [f"text/plain;q=0,{OPENMETRICS};q=0.1"]),
    # Malformed elements count as if they were not there.
    (False, [f"{OPENMETRICS};q=2"]),
    (False, [f"{OPENMETRICS};q=-1"]),
    (False, [f"{OPENMETRICS};q=nan"]),
    (False, [f"{OPENMETRICS};q=0.1234"]),
    (False, [f"{OPENMETRICS};q="]),
    (False, [f"{OPENMETRICS};q=\u0661"]),
    (True, [f"text/plain;q=x,{OPENMETRICS};q=0.1"]),
    (True, [f",;,;;q=,{OPENMETRICS};;"]),
    (False, [f"x{OPENMETRICS}"]),
    (False, [f"text/html;x={OPENMETRICS}"]),
    (False, ["\xff;;"]),
    (False, ["," * 8000 + OPENMETRICS]),
    (True, [OPENMETRICS + ";" * 8000]),
]


@pytest.mark.parametrize(("openmetrics", "accept"), FORMATS)
def test_openmetrics_is_for_who_names_it_and_does_not_prefer_text(
    *, openmetrics: bool, accept: list[str]
) -> None:
    headers = CIMultiDict([("Accept", value) for value in accept])
    request = make_mocked_request("GET", "/metrics", headers)
    assert exposition_format(request).openmetrics is openmetrics


@pytest.mark.parametrize(
    ("gzipped", "accepted"),
    [
        (False, []),
        (False, [""]),
        (True, ["gzip"]),
        (True, ["GZip"]),
        (True, ["x-gzip"]),
        (True, ["deflate, gzip;q=1.0, *;q=0.5"]),
        (True, ["deflate", "gzip"]),
        (True, ["*"]),
        (True, ["br;q=1, *;q=0.1"]),
        (True, ["gzip;q=0.001"]),
        (True, ["gzip;q=0.5, identity;q=0.5"]),
        (True, ["identity;q=0, gzip;q=0.1"]),
        (False, ["gzip;q=0"]),
        (False, ["gzip;q=0, *"]),
        (False, ["gzip;q=0.000"]),
        (False, ["*;q=0"]),
        (False, ["identity"]),
        (False, ["identity;q=0"]),
        (False, ["gzip;q=0.5, identity"]),
        (False, ["br"]),
        (False, ["gzipped"]),
        (False, ["gzip;q=x"]),
        (False, ["gzip;q=1.1"]),
        (False, ["," * 8000 + "gzip"]),
    ],
)
def test_gzip_is_for_who_accepts_it_and_does_not_prefer_identity(
    *, gzipped: bool, accepted: list[str]
) -> None:
    headers = CIMultiDict([("Accept-Encoding", value) for value in accepted])
    assert gzip_accepted(make_mocked_request("GET", "/metrics", headers)) is gzipped
