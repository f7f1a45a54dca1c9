"""What stands for one client in a limit."""

from pombo_exporter.web.networks import network_of


def test_client_is_an_ipv4_address_or_a_network_of_ipv6() -> None:
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:0:0:2%eth0")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
