"""A Hub in a process of its own, for `benchmarks/reading/run.py`: answers after a delay, and counts what it was asked.

    python benchmarks/reading/serve.py REPOSITORY HOME 0.02

Prints the variables of a client's environment as a line of JSON; when its standard input ends, a second line: the requests.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.hub import Hub, Snapshot

NAME = "org/name"


def main() -> None:
    """Serve until the parent ends it."""
    folder, home, delay = sys.argv[1:]
    Snapshot(Path(folder))  # hashes all files, once
    with Hub({NAME: folder}, delay=float(delay)) as hub:
        print(json.dumps(hub.environment(home)), flush=True)
        sys.stdin.read()
        data = [request for request in hub.requests if request.listener == "storage" and request.method == "GET"]
        sent = sum(request.bytes_sent for request in hub.requests)
        print(json.dumps({"data": len(data), "all": len(hub.requests), "sent": sent}))


if __name__ == "__main__":
    main()
