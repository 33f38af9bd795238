"""Objects in a bucket, or in a folder that stands for one, each written once and whole; obstore is used here alone."""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from toriwork.errors import BadInput, MissingExtra, NotFound, StoreError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "gs", "az", "file")
_PART_BYTES = 16 * 2**20  # of a large file; S3 takes 10,000 parts
_CHUNK_BYTES = 4 * 2**20
_SECRET = re.compile("SECRET|TOKEN|PASSWORD|SIGNATURE|KEY")
_SHORTEST = 6  # characters of a secret; a shorter one may be part of any word
_MOST_TEXT = 300
_PATIENCE = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
#: the process that uses the library, whose threads no child of a fork has: there every call would wait for ever
_USED_BY: list[int] = []
_CONNECT = {"connect_timeout": timedelta(seconds=5), "timeout": timedelta(seconds=300)}


class Objects:
    """A place for objects; a name is given once, and what has it is whole.

    Parameters
    ----------
    uri
        ``s3://BUCKET/PREFIX`` (also ``gs://``, ``az://``), ``file:///FOLDER`` or a folder. Who may write there is said
        by the environment (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, ...) and ``~/.aws``.

    make
        A folder is made when it is missing.

    Raises
    ------
    BadInput
        It is no such place, or it has a password in it.
    MissingExtra
        obstore is not installed.
    """

    def __init__(self, uri: str | os.PathLike[str], *, make: bool = False) -> None:
        self.uri = checked_uri(uri)
        self._make = make
        try:
            import obstore  # noqa: F401 - now, not in the background
        except ImportError as error:
            raise MissingExtra(f"{self.uri}: needs obstore: pip install 'toriwork[cluster]'") from error
        self._folder = Path(url2pathname(urlsplit(self.uri).path)) if self.uri.startswith("file:") else None

    @cached_property
    def _store(self) -> ObjectStore:
        from obstore import store

        if self._folder is not None:
            return store.LocalStore(self._folder, mkdir=self._make)
        options = aws_options() if self.uri.startswith("s3:") else {}
        more: Any = {
            "config": options or None,
            "client_options": {**_CONNECT, "allow_http": plain_http(options)},
            "retry_config": _PATIENCE,
        }
        return store.from_url(self.uri, **more)

    def put_new(self, name: str, content: bytes) -> bool:
        """True when the object was made; False when there is one of this name, which was left as it is."""
        import obstore

        with self._said(f"put {name}"):
            try:
                obstore.put(self._store, name, content, mode="create", use_multipart=False)
                self._sync(name)
            except obstore.exceptions.AlreadyExistsError:
                return False
        return True

    def put_file(self, name: str, file: Path) -> None:
        """Put a file of any size whose name says what is in it: whoever puts it again puts the same."""
        import obstore

        with self._said(f"put {name}"):
            obstore.put(self._store, name, file, chunk_size=_PART_BYTES, max_concurrency=4)
            self._sync(name)

    def get(self, name: str) -> bytes:
        """The content of a small object; NotFound where there is none."""
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of an object in pieces."""
        import obstore

        with self._said(f"get {name}"):
            yield from map(bytes, obstore.get(self._store, name).stream(min_chunk_size=_CHUNK_BYTES))

    def names(self) -> list[str]:
        """The names of all objects here, sorted."""
        import obstore

        with self._said("list"):
            return sorted(one["path"] for batch in obstore.list(self._store) for one in batch if "/" not in one["path"])

    def remove(self, name: str) -> None:
        """Remove an object that nobody names."""
        import obstore

        with self._said(f"remove {name}"):
            obstore.delete(self._store, name)

    def _sync(self, name: str) -> None:
        """Have an object in a folder reach the disk; a bucket answers when it has it."""
        if self._folder is None or sys.platform == "win32":
            return
        for path in (self._folder / name, self._folder):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        from obstore.exceptions import BaseError

        refuse_fork(_USED_BY, f"{self.uri}: cannot {what}")
        try:
            yield
        except FileNotFoundError as error:  # of an object that is read, or of a bucket
            kind = NotFound if what.startswith("get") else StoreError
            raise kind(f"{self.uri}: cannot {what}: {without_secrets(error)}") from None
        except (BaseError, OSError, ValueError) as error:
            # what the library says may hold a whole request: it is not chained
            raise StoreError(f"{self.uri}: cannot {what}: {without_secrets(error)}") from None


def refuse_fork(used_by: list[int], what: str) -> None:
    """StoreError in a fork of the process that uses a library, which is noted in ``used_by`` at first."""
    if not used_by:
        used_by.append(os.getpid())
    if os.getpid() not in used_by:
        raise StoreError(f"{what} in a fork of a process that did; start processes by spawn")


def is_uri(place: str | os.PathLike[str]) -> bool:
    """True for what names a bucket, or a folder as ``file:///FOLDER``."""
    return "://" in os.fspath(place)


def checked_uri(uri: str | os.PathLike[str]) -> str:
    """The URI of a place for objects; BadInput, which does not repeat a password, where it is none."""
    text = os.fspath(uri)
    if not is_uri(text):
        text = Path(text).expanduser().absolute().as_uri()
    parts = urlsplit(text)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise BadInput(
            f"{parts.scheme}://...: expected a place without user, password or query; credentials come from the "
            "environment or ~/.aws"
        )
    if parts.scheme not in SCHEMES or not (parts.path if parts.scheme == "file" else parts.netloc):
        raise BadInput(f"{text}: expected s3://BUCKET/PREFIX, gs://, az://, file:///FOLDER or a folder")
    return text.rstrip("/")


def aws_options() -> dict[str, str]:
    """Options for S3 that ``~/.aws`` says and the environment does not; {} where the environment has credentials.

    The libraries in Rust read the environment by themselves, and not these files.
    """
    found: dict[str, str] = {}
    if endpoint := os.environ.get("AWS_ENDPOINT_URL_S3"):
        found["aws_endpoint_url"] = endpoint
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return found
    profile = os.environ.get("AWS_PROFILE") or "default"
    keys = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    of_user = _profile("AWS_SHARED_CREDENTIALS_FILE", "credentials", profile)
    config = _profile("AWS_CONFIG_FILE", "config", profile if profile == "default" else f"profile {profile}")
    found |= {key: of_user.get(key, config.get(key, "")) for key in keys}
    if "AWS_REGION" not in os.environ and "AWS_DEFAULT_REGION" not in os.environ:
        found["aws_region"] = config.get("region", "")
    if "AWS_ENDPOINT_URL" not in os.environ:
        found.setdefault("aws_endpoint_url", config.get("endpoint_url", ""))
    return {key: value for key, value in found.items() if value}


def plain_http(options: dict[str, str]) -> bool:
    """True where the endpoint that is given speaks http: a server of one's own."""
    return options.get("aws_endpoint_url", os.environ.get("AWS_ENDPOINT_URL", "")).startswith("http://")


def without_secrets(error: object) -> str:
    """The first line of what a library says, secrets replaced; the same text whenever the same happens."""
    text = re.sub(r" in [\d.]+m?s\b", "", str(error).partition("\n\nDebug source")[0])
    code = re.search("<Code>(.*?)</Code>", text)
    text = text.partition("<?xml")[0].partition("\n")[0] + (code[1] if code else "")
    options = {key.upper(): value for key, value in aws_options().items()}
    for name, value in {**os.environ, **options}.items():
        if _SECRET.search(name) and len(value) >= _SHORTEST:
            text = text.replace(value, "***")
    return text[:_MOST_TEXT]


def _profile(variable: str, file: str, section: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(os.environ.get(variable) or Path.home() / ".aws" / file, encoding="utf-8")
        return dict(parser[section]) if section in parser else {}
    except (configparser.Error, OSError, RuntimeError, UnicodeDecodeError):  # what they say may hold a secret
        raise BadInput(f"{variable}, ~/.aws/{file}: expected a file of profiles, got one that cannot be read") from None
