"""Durations, addresses, and environment variables of flags."""

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pombo_cli.flags import Address, AddressType, Duration, flag


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5.0),
        ("500ms", 0.5),
        ("1m", 60.0),
        ("1h30m", 5400.0),
        ("1d", 86400.0),
        ("1m500ms", 60.5),
        ("0s", 0.0),
    ],
)
def test_duration_is_read_as_prometheus_writes_it(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", " 5s", "5s\n", "-5s", "1.5s", "5S", "5sec", "1w", "٣s", "5s,"]
)
def test_invalid_duration_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"write it as 500ms, 5s, 1m or 1h30m"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize("text", ["99ms", "1h1ms", "9" * 5000 + "d"])
def test_duration_out_of_bounds_is_refused_with_the_bounds(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is not from 0\.1s to 3600s"):
        Duration(minimum=0.1, maximum=3600).convert(text, None, None)


def test_bounds_of_a_duration_are_inclusive() -> None:
    assert Duration(minimum=0.1, maximum=3600).convert("100ms", None, None) == pytest.approx(0.1)
    assert Duration(minimum=0.1, maximum=3600).convert("1h", None, None) == 3600


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("pi:5115", Address("pi", 5115)),
        ("pi", Address("pi", 5005)),
        ("192.0.2.7:1", Address("192.0.2.7", 1)),
        (":5005", Address("", 5005)),
        ("[::1]:5115", Address("::1", 5115)),
        ("[::1]", Address("::1", 5005)),
        ("[::]:0", Address("::", 0)),
        ("[fe80::1%eth0]:65535", Address("fe80::1%eth0", 65535)),
    ],
)
def test_address_is_a_host_and_a_port(text: str, address: Address) -> None:
    assert AddressType().convert(text, None, None) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "::1",
        "::1:5005",
        "[::1",
        "::1]",
        "[::1]5005",
        "pi:",
        "pi:http",
        "a b:1",
        "[[::1]]:1",
        "pi:5005\n",
        "pi:-1",
        "a:b:1",
        "http://pi:5005",
        "pi:100000",
        "pi:٣",
    ],
)
def test_invalid_address_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"write host:port, .*\[::1\]:5005"):
        AddressType().convert(text, None, None)


@pytest.mark.parametrize("port", ["65536", "99999"])
def test_port_beyond_65535_is_refused(port: str) -> None:
    with pytest.raises(click.BadParameter, match=r"a port is from 0 to 65535"):
        AddressType().convert(f"pi:{port}", None, None)


@pytest.mark.parametrize("text", ["pi:5005", "[::1]:5005", ":5005", "[fe80::1%eth0]:1"])
def test_address_is_written_as_it_is_read(text: str) -> None:
    assert str(AddressType().convert(text, None, None)) == text


@given(st.text(alphabet="0123456789:[]. a%-\nmshd"))
def test_any_text_is_a_value_or_an_error_for_the_user(text: str) -> None:
    for kind in (AddressType(), Duration()):
        try:
            kind.convert(text, None, None)
        except click.BadParameter:
            continue


@click.command
@flag("udp.listen-address", type=AddressType(), default="[::]:5005")
@flag("host.forget-after", type=Duration(), default="1h")
def command(udp_listen_address: Address, host_forget_after: float) -> None:
    click.echo(f"{udp_listen_address} {host_forget_after:g}")


def test_flag_has_a_default_of_its_own_type() -> None:
    assert CliRunner().invoke(command).output == "[::]:5005 3600\n"


def test_flag_is_also_an_environment_variable() -> None:
    variables = {"POMBO_UDP_LISTEN_ADDRESS": "pi:1", "POMBO_HOST_FORGET_AFTER": "5s"}
    assert CliRunner().invoke(command, env=variables).output == "pi:1 5\n"


def test_flag_overrides_the_variable() -> None:
    variables = {"POMBO_HOST_FORGET_AFTER": "5s"}
    found = CliRunner().invoke(command, ["--host.forget-after=7s"], env=variables)
    assert found.output == "[::]:5005 7\n"


def test_help_names_the_variable() -> None:
    assert "POMBO_UDP_LISTEN_ADDRESS" in CliRunner().invoke(command, ["--help"]).output


def test_invalid_value_exits_with_usage_and_status_2() -> None:
    found = CliRunner().invoke(command, ["--udp.listen-address=::1"])
    assert found.exit_code == 2
    assert "--udp.listen-address" in found.output
