"""The JSON of a Zenodo record (`/api/records/<number>`): its files with size, MD5 and address."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from rocov2_build.raw.http_client import BrokenOffError, Server, ServerError
from rocov2_build.raw.proxies import without_login
from rocov2_shared.errors import UserError

_RECORD_BYTES = 10_000_000


@dataclass(frozen=True)
class RecordFile:
    """A file of a Zenodo record: name, bytes, MD5 in hex, address."""

    name: str
    size: int
    md5: str
    url: str


def fetch_record(server: Server, url: str, wanted: list[str]) -> list[RecordFile]:
    """Return the wanted files of a record.

    Args:
        server: the client.
        url: address of the JSON.
        wanted: names of files.

    Raises:
        ServerError: the record cannot be read, or lists its files in another form.
        UserError: it is the record of something else.
    """
    shown = without_login(url)
    while True:
        try:
            with server.get(url, {}) as response:
                content = json.loads(response.read(_RECORD_BYTES))
                break
        except BrokenOffError as error:
            server.pause(shown, error)
        except (ValueError, RecursionError) as error:
            raise ServerError(f"{shown}: the record is not JSON") from error
    server.succeeded()
    try:
        entries = {entry["key"]: entry for entry in content["files"]}
        files = [_record_file(name, entries[name]) for name in wanted if name in entries]
    except (KeyError, TypeError, ValueError) as error:
        expected = "files with key, size, checksum and links"
        raise ServerError(f"{shown}: the record has no {expected} ({error})") from error
    if not entries:
        raise ServerError(f"{shown}: the record lists no files, so access to them may be restricted")
    missing = ", ".join(name for name in wanted if name not in entries)
    if missing:
        raise UserError(f"{shown} is not a release of ROCOv2, since it has no {missing}: choose another --record")
    return files


def _record_file(name: str, entry: dict[str, Any]) -> RecordFile:
    size, checksum, url = entry["size"], entry["checksum"], entry["links"]["self"]
    digest = re.fullmatch("md5:([0-9a-f]{32})", checksum)
    if type(size) is not int or size <= 0 or not digest or not re.match("https?://", url):
        raise ValueError(f"{name}: size {size}, checksum {checksum}, address {without_login(url)}")
    return RecordFile(name, size, digest[1], url)
