"""A proxy over HTTP, which knows its own names: with CONNECT, and for requests without TLS."""

import socket
from threading import Thread


class Proxy:
    """Connects clients with servers of this machine, by the names that it is given."""

    def __init__(self, names: dict[str, int], status: str = "200 Connection established") -> None:
        """Listen; ``names`` has the local port of each ``host:port``."""
        self.asked: list[str] = []  # the first line of each connection
        self._names, self._status = names, status  # answered to CONNECT
        self._open: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._start(self._accept)

    def close(self) -> None:
        """Close all connections, and listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for each in self._open:
            _shut(each)
        for thread in self._threads:
            thread.join(30)
        for each in (*self._open, self._listener):
            each.close()

    def _start(self, work: object, *arguments: object) -> None:
        thread = Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            got = client.recv(1)
            if not got:
                return
            head += got
        line = head.split(b"\r\n")[0].decode()
        self.asked.append(line)
        method, target, _ = line.split(" ")
        if not self._status.startswith("200"):
            client.sendall(f"HTTP/1.1 {self._status}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        name = target if method == "CONNECT" else target.split("/")[2]
        server = socket.create_connection(("127.0.0.1", self._names[name]))
        self._open.append(server)
        if method == "CONNECT":
            client.sendall(f"HTTP/1.1 {self._status}\r\n\r\n".encode())
        else:
            server.sendall(head)
        self._start(_relay, client, server)
        _relay(server, client)


def _relay(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _shut(each: socket.socket) -> None:
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
