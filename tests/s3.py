"""A server with the API of S3 on the loopback device, in a process of its own: moto's, which keeps If-None-Match."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

SECRET = "not-for-your-eyes-0123456789"
_SERVER = """
import logging, sys, threading
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer
put, lock = S3Response.put_object, threading.Lock()
def put_alone(response):  # moto looks for an object, then writes it: without the lock two may win, as in no S3
    with lock:
        return put(response)
S3Response.put_object = put_alone
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of the server."""
    line = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def environment(server: str, home: Path) -> dict[str, str]:
    """What tells a client of S3 where the server is, and who is asking; nothing of the user's own."""
    return {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "HOME": str(home),
    }


@pytest.fixture
def bucket(s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of a new bucket, which the environment lets everybody reach."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment(s3_server, tmp_path).items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{next(_NUMBERS)}"
    with urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{name}", method="PUT")):
        return f"s3://{name}"


@pytest.fixture(params=["bucket", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for objects: a bucket, or a folder."""
    if request.param == "bucket":
        found: str = request.getfixturevalue("bucket")
        return found + "/a/b"
    return (tmp_path / "objects").as_uri()
