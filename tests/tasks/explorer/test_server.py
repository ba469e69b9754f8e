"""The server of the explorer: an odd address gets the page, or that there is none; never an error of the server."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("gradio")

from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.server import launch
from tests.support.processes import free_port
from tests.support.raw import make_raw

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    repository = make_raw(train=3, valid=3, test=3).build(tmp_path_factory.mktemp("server") / "rocov2")
    port = free_port()
    page = launch(Collection(repository), "127.0.0.1", port)
    yield port
    page.close(verbose=False)


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
        ("/config?page=2", 200),
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


@pytest.mark.parametrize("prefix", ["", "/gradio_api"])
@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", "/upload"),
        ("POST", "/upload/"),
        ("POST", "/upload?upload_id=1"),
        ("POST", "//upload"),
        ("POST", "/assets/../upload"),
        ("GET", "/upload_progress?upload_id=1"),
        ("POST", "/component_server"),
        ("POST", "/process_recording"),
        ("POST", "/run/search"),
        ("POST", "/call/search"),
        ("GET", "/file=pyproject.toml"),
        ("GET", "/file/pyproject.toml"),
        ("GET", "/proxy=https://example.org"),
        ("GET", "/monitoring"),
        ("GET", "/vibe-code"),
        ("PUT", "/upload"),
        ("DELETE", "/config"),
        ("OPTIONS", "/upload"),
    ],
)
def test_nothing_can_be_uploaded_or_read_besides_the_page(port: int, prefix: str, method: str, address: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, prefix + address, BOUNDARY if method == "POST" else None, MULTIPART)
    assert connection.getresponse().status == 404
    connection.close()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_long_request_is_refused_before_it_is_read(port: int, chunked: bool) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    parts = (b"x" * 100_000 for _ in range(11))
    body = parts if chunked else b"".join(parts)
    connection.request("POST", "/gradio_api/queue/join", body, {"Content-Type": "application/json"})
    assert connection.getresponse().status == 413
    connection.close()
