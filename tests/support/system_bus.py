"""A system bus of its own, with a service whose objects and properties a test gives."""

import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from jeepney import (  # type: ignore[import-untyped]
    HeaderFields,
    MessageType,
    message_bus,
    new_error,
    new_method_return,
)
from jeepney.io.blocking import Proxy, open_dbus_connection  # type: ignore[import-untyped]

_CONFIG = """\
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""


class Service(NamedTuple):
    """A service: what its methods return, and the properties of its objects.

    ``methods`` has the signature and the value for each path, interface and method,
    ``properties`` those for each path, interface and property.
    """

    name: str
    methods: Mapping[tuple[str, str, str], tuple[str, Any]]
    properties: Mapping[tuple[str, str, str], tuple[str, Any]]


@contextmanager
def serving(service: Service, folder: Path) -> Iterator[str]:
    """Run a bus with a service, and return its address."""
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(socket=folder / "bus"), encoding="utf-8")
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        address = daemon.stdout.readline().strip()
        try:
            connection = open_dbus_connection(address)
            Proxy(message_bus, connection).RequestName(service.name)
            thread = threading.Thread(target=_answer, args=(connection, service))
            thread.start()
            yield address
        finally:
            daemon.terminate()
    thread.join(10)
    connection.close()


def _answer(connection: Any, service: Service) -> None:
    """Answer calls until the bus ends."""
    while True:
        try:
            message = connection.receive()
        except ConnectionResetError:
            return
        if message.header.message_type is MessageType.method_call:
            connection.send(_reply(message, service))


def _reply(message: Any, service: Service) -> Any:
    fields = message.header.fields
    path, member = fields[HeaderFields.path], fields[HeaderFields.member]
    if member == "Get":
        interface, name = message.body
        found = service.properties.get((path, interface, name))
        if found:
            return new_method_return(message, "v", (found,))
        unknown = "org.freedesktop.DBus.Error.UnknownProperty"
        return new_error(message, unknown, "s", (f"no {name}",))
    answer = service.methods.get((path, fields[HeaderFields.interface], member))
    if answer:
        signature, value = answer
        return new_method_return(message, signature, (value,))
    return new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", "s", (f"no {member}",))
