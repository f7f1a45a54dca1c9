"""What tests of sealed datagrams share: a clock, the key of a fleet, and that of a host."""

import pytest
from pombo_agent.transport.crypto import CRYPTO
from pombo_wire.keys import FleetKey, HostKey, derived, new_fleet_key
from support.clocks import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fleet() -> FleetKey:
    return new_fleet_key(CRYPTO)


@pytest.fixture
def key(fleet: FleetKey) -> HostKey:
    return derived(CRYPTO, fleet, 0, "pi")
