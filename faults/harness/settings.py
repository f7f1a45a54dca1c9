"""How much a case does: all of it for the table, or little for the tests of each change."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The size of the cases.

    ``interval`` is in seconds between two reports of a host, ``seconds`` how long a fault lasts,
    ``flood`` how many datagrams strangers send in a second.
    """

    name: str
    hosts: int
    interval: float
    seconds: float
    flood: int
    kills: int
    clients: int


#: Of the table in docs/reliability.md.
FULL = Settings("full", hosts=500, interval=2.0, seconds=20.0, flood=50_000, kills=20, clients=60)

#: Of the tests that run for each change.
SHORT = Settings("short", hosts=40, interval=1.0, seconds=4.0, flood=2_000, kills=2, clients=10)
