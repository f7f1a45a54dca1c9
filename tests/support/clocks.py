"""A clock that only the test advances."""


class Clock:
    """A monotonic clock in seconds."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time that the test has set."""
        return self.now
