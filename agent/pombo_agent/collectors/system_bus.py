"""The system bus of D-Bus, by which ``systemd`` and ``logind`` are asked."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pombo_agent.collecting.sources import NoDataError, Sources

_SECONDS = 2.0  # for the reply to one call

_PROPERTIES = "org.freedesktop.DBus.Properties"
_ABSENT = frozenset(
    {"org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner"}
)


class BusError(Exception):
    """A service has answered a call with an error."""


class Bus:
    """A connection to one service of the bus."""

    def __init__(self, connection: Any, service: str) -> None:
        self._connection, self._service = connection, service

    def call(
        self, path: str, interface: str, method: str, signature: str = "", *body: object
    ) -> Any:
        """Return the first value of the reply.

        Raises:
            BusError: when the service answers with an error.
            NoDataError: when the service does not exist.
            OSError: when there is no reply.
        """
        from jeepney import (  # type: ignore[import-untyped]  # noqa: PLC0415
            DBusAddress,
            HeaderFields,
            MessageType,
            new_method_call,
        )

        address = DBusAddress(path, self._service, interface)
        message = new_method_call(address, method, signature or None, body)
        reply = self._connection.send_and_get_reply(message, timeout=_SECONDS)
        if reply.header.message_type is MessageType.error:
            error = reply.header.fields.get(HeaderFields.error_name, "")
            if error in _ABSENT:
                raise NoDataError(f"no {self._service} on the system bus")
            raise BusError(
                f"{interface}.{method} of {path}: {error} {' '.join(map(str, reply.body))}"
            )
        return reply.body[0]

    def value(self, path: str, interface: str, name: str) -> Any:
        """Return a property of an object; ``None`` where it has none of this name."""
        try:
            _type, value = self.call(path, _PROPERTIES, "Get", "ss", interface, name)
        except BusError:
            return None
        return value

    def number(self, path: str, interface: str, name: str) -> int | None:
        """Return a property of an object that is a number."""
        found = self.value(path, interface, name)
        return found if isinstance(found, int) else None


@contextmanager
def open_bus(sources: Sources, service: str) -> Iterator[Bus]:
    """Connect to the system bus of the host for the calls to one service.

    The variable ``DBUS_SYSTEM_BUS_ADDRESS`` may have another address.

    Raises:
        ImportError: when the library is not installed.
        NoDataError: when there is no system bus.
    """
    address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", "")
    if not address:
        socket = f"{str(sources.rootfs).rstrip('/')}/run/dbus/system_bus_socket"
        if not os.path.exists(socket):
            raise NoDataError("no system bus of D-Bus")
        address = f"unix:path={socket}"
    try:
        from jeepney.io.blocking import (  # type: ignore[import-untyped]  # noqa: PLC0415
            open_dbus_connection,
        )
    except ImportError as error:
        raise ImportError("D-Bus needs the library jeepney: install pombo-agent[dbus]") from error
    with open_dbus_connection(address) as connection:
        yield Bus(connection, service)
