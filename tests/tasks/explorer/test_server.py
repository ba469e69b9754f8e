"""The server of the explorer: an odd address gets the page, or that there is none; never an error of the server."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

pytest.importorskip("duckdb")

from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.filters import Filter
from rocov2_tasks.explorer.server import Server
from tests.conftest import Seeds
from tests.support.processes import free_port
from tests.support.raw import make_raw

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=3, valid=3, test=3).build(tmp_path_factory.mktemp("server") / "rocov2")


@pytest.fixture(scope="module")
def port(repository: Path) -> Iterator[int]:
    server = Server(Collection(repository), "127.0.0.1", free_port())
    server.start()
    yield server.server_port
    server.close()


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/", 200),
        ("/?page=2", 200),
        ("/?page=a&page=b", 200),
        ("/?%70age=2", 200),
        ("/?page=%00", 200),
        ("/?at=99999999999999999999", 200),
        ("/?at=-1&per_page=x&commercial=2", 200),
        ("/?modality=%3Cb%3E&split=%ff", 200),
        ("/?deep_link=../../etc", 200),
        ("/config?page=2", 404),
        ("/?view=3", 200),
        ("/?view=99999999999999999999&config=small", 200),
        ("/?text=" + "%2A".join("abcdefghijkl"), 200),
        ("/?text=%00%ff%5C(%5B&concept=", 200),
        ("/?concept=C0000000", 200),
        ("/random?at=x", 303),
        ("/random?modality=radar", 303),
        ("/ids.csv", 200),
        ("/ids.csv?modality=radar", 404),
        ("/ids.csv?text=(((", 200),
        ("/concepts.json?find=%ff(&text=*", 200),
        ("/concepts.json?modality=radar", 200),
        ("/image/default/train/0.jpg", 200),
        ("/image/default/train/3.jpg", 404),
        ("/image/default/train/999999999.jpg", 404),
        ("/image/default/train/99999999999.jpg", 404),
        ("/image/default/nosplit/0.jpg", 404),
        ("/image/text/train/0.jpg", 404),
        ("/image/../../train/0.jpg", 404),
        ("/style.css", 200),
        ("/script.js?x", 200),
        ("/server.py", 404),
        ("//", 200),
        ("/?", 200),
        ("http://example.org/", 404),
        ("*", 404),
        ("/nope", 404),
        ("/page", 404),
        ("/%00", 404),
        ("/..%2f..%2fetc/passwd", 404),
        pytest.param("/?text=" + "a" * 5_000, 200, id="long text"),
        pytest.param("/?" + "a" * 62_000, 200, id="long query"),
    ],
)
def test_an_odd_address_gets_the_page_or_none(port: int, address: str, status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", address)
    assert connection.getresponse().status == status
    connection.close()


BOUNDARY = b"--x\r\nContent-Disposition: form-data; name=files; filename=a.txt\r\n\r\ntext\r\n--x--\r\n"
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", "/"),
        ("POST", "/upload"),
        ("POST", "/ids.csv"),
        ("GET", "/file=pyproject.toml"),
        ("GET", "/proxy=https://example.org"),
        ("GET", "/rocov2_tasks/explorer/server.py"),
        ("PUT", "/upload"),
        ("DELETE", "/"),
        ("OPTIONS", "/"),
        ("PATCH", "/"),
        ("NONSENSE", "/"),
        ("CONNECT", "example.org:80"),
    ],
)
def test_nothing_can_be_uploaded_or_read_besides_the_page(port: int, method: str, address: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, address, BOUNDARY if method == "POST" else None, MULTIPART)
    assert connection.getresponse().status == 404
    connection.close()


@pytest.mark.parametrize("address", ["/", "/image/default/train/0.jpg", "/nope"])
def test_a_head_is_that_of_the_page(port: int, address: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    answers = []
    for method in ("GET", "HEAD"):
        connection.request(method, address)
        answer = connection.getresponse()
        body = answer.read()
        answers.append((answer.status, answer.headers["Content-Type"], answer.headers["Content-Length"]))
        assert len(body) == (int(answer.headers["Content-Length"]) if method == "GET" else 0)
    assert answers[0] == answers[1]
    connection.close()


def test_an_image_is_given_byte_for_byte(port: int, repository: Path) -> None:
    collection = Collection(repository)
    rows = collection.rows(Filter())
    for row, image in zip(rows, collection.images(rows), strict=True):
        with urlopen(f"http://127.0.0.1:{port}/image/default/{row['split']}/{row['row']}.jpg") as answer:
            assert answer.headers["Content-Type"] == "image/jpeg"
            assert answer.read() == image


def test_an_image_that_cannot_be_read_says_why_and_the_others_are_shown(tmp_path: Path) -> None:
    repository = make_raw(train=3, valid=3, test=3).build(tmp_path / "rocov2")
    server = Server(Collection(repository), "127.0.0.1", free_port())
    server.start()
    for shard in repository.glob("data/test-*"):
        shard.unlink()
    statuses = {}
    with urlopen(server.url) as answer:  # noqa: S310
        page = answer.read().decode()
    for address in re.findall(r'<img src="([^"]*)"', page):
        try:
            with urlopen(server.url + address) as answer:  # noqa: S310
                statuses[address.split("/")[2]] = answer.status, ""
        except HTTPError as error:
            statuses[address.split("/")[2]] = error.code, error.read().decode()
    server.close()
    assert statuses["train"] == statuses["validation"] == (200, "")
    assert statuses["test"][0] == 404
    assert "is missing: start the explorer again" in statuses["test"][1]


PIECES = ["text", "concept", "modality", "config", "split", "at", "view", "per_page", "find", "page", "commercial", "x"]
ODD = [
    "=",
    "&",
    "%",
    "%00",
    "%ff",
    "%2a",
    "*",
    '"',
    "(",
    "[",
    "\\",
    "/",
    "..",
    "?",
    ";",
    "+",
    "-1",
    "9" * 9,
    "CT",
    "C0034606",
    "train",
]


def test_no_address_is_an_error_of_the_server(port: int, seeds: Seeds) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for seed in seeds(150):
        random = Random(seed)
        path = random.choice(["", "", "", "ids.csv", "concepts.json", "random", "image/default/train/1.jpg", "x"])
        query = "".join(random.choice(PIECES + 3 * ODD) for _ in range(random.randrange(30)))
        connection.request("GET", f"/{path}?{query}")
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (200, 303, 404), (path, query)
    connection.close()


def test_a_request_that_is_not_http_does_not_end_the_server(port: int) -> None:
    for content in (
        b"\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"GET /\xff\x00 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02",
        b"GET",
    ):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(content)
    with urlopen(f"http://127.0.0.1:{port}/") as answer:
        assert answer.status == 200


def test_many_searches_at_once_are_all_answered(port: int) -> None:
    def ask(number: int) -> int:
        with urlopen(f"http://127.0.0.1:{port}/?text={'abcde'[number % 5]}*&at={number}") as answer:
            return int(answer.status)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(40))) == {200}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_long_request_is_refused_before_it_is_read(port: int, chunked: bool) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    parts = (b"x" * 100_000 for _ in range(11))
    body = parts if chunked else b"".join(parts)
    connection.request("POST", "/queue/join", body, {"Content-Type": "application/json"})
    assert connection.getresponse().status == 413
    connection.close()
