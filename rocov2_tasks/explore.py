"""A page to look through a built repository: filters, images with their texts, and the filter as code to copy.

`python -m rocov2_tasks.explore [REPOSITORY=rocov2] [--port N]` shows it on this machine, `--space FOLDER` writes it as a
Space of the Hugging Face Hub. It needs the extra `explore` (duckdb). It downloads nothing, unless the repository is on the
Hub.
"""

# Imports that take seconds are inside of functions, where an interruption ends the program properly.
from __future__ import annotations

import errno
import os
import socket
import threading
from ipaddress import ip_address

from rocov2_shared.terminal import echo
from rocov2_tasks.explorer import HOST, PORT
from rocov2_tasks.explorer.packages import require


def serve(path: str | os.PathLike[str], host: str = HOST, port: int = PORT) -> None:
    """Show the page of a repository until the program is interrupted.

        serve("rocov2", port=7860)

    Raises:
        FileNotFoundError, ConnectionError, ValueError: as `Collection`.
        ModuleNotFoundError: the extra `explore` is not installed.
        OSError: the port is in use, or the address is not one of this machine.
    """
    require("duckdb")
    host = host.strip("[]")
    _require_free(host, port)
    echo(f"Opening {os.fspath(path)} ...", err=True)
    from rocov2_tasks.explorer.collection import Collection
    from rocov2_tasks.explorer.server import Server

    collection = Collection(path)
    server = Server(collection, host, port)
    server.start()
    if open_to := _others_reach(host):
        reached = f"{open_to}:{server.server_port}"
        echo(f"Anyone who reaches {reached} can read the repository; there is no password, and no uploads.", err=True)
    echo(f"{server.url}  {sum(collection.counts.values()):,} images of {collection.root}. Ctrl-C ends it.")
    ended = threading.Event()
    try:
        # A wait without a limit can miss a signal that comes as it begins, or that another thread gets.
        while not ended.wait(1.0):
            pass
    finally:
        server.close()


def _others_reach(host: str) -> str:
    """Return the host, or the name of this machine for all of its addresses; "" if only this machine reaches it."""
    host = host.strip("[]")
    try:
        address = ip_address(host)
    except ValueError:
        return "" if host == "localhost" else host
    if address.is_loopback:
        return ""
    name = socket.gethostname() if address.is_unspecified else host
    return f"[{name}]" if ":" in name else name


def _require_free(host: str, port: int) -> None:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.create_server((str(address[0]), port), family=family):
            pass
    except (OSError, UnicodeError) as error:
        port_fault = getattr(error, "errno", None) in (errno.EADDRINUSE, errno.EACCES)
        advice = "another port with --port" if port_fault else "an address of this machine with --host"
        reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        raise OSError(f"cannot listen on {host}, port {port}: {reason}. Choose {advice}") from error


if __name__ == "__main__":
    from rocov2_commands.main import run_verb

    run_verb("explore")
