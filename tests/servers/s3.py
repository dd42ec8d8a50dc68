"""The S3 protocol, by moto."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.session

from tests.servers.clones import Clone
from tests.servers.relay import HERE
from tests.servers.server import Server, installed
from tests.servers.store import MEGABYTE, Object

BUCKET, PREFIX = "reid", "runs/files/md5/"


class S3(Server):
    """It keeps everything in memory, and takes any credentials."""

    commands = (
        "dvc remote add --local -d mine s3://reid/runs",
        "dvc remote modify --local mine endpointurl http://{host}:{port}",
        "dvc remote modify --local mine access_key_id {user}",
        "dvc remote modify --local mine secret_access_key {password}",
    )
    down = "Could not connect to the endpoint URL"
    refused = "Unable to locate credentials"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.values |= {"user": "me", "password": "secret"}

    def process(self) -> list[str]:
        return [installed("moto_server"), "-H", HERE, "-p", str(self.relay.target)]

    def start(self) -> None:
        super().start()
        self._call("create_bucket")

    def objects(self) -> dict[str, Object]:
        return {
            entry["Key"].removeprefix(PREFIX).replace("/", ""): Object(
                entry["ETag"].strip('"'),  # the md5 of the bytes that it holds
                entry["LastModified"].timestamp(),
            )
            for entry in self._call("list_objects_v2").get("Contents", [])
        }

    def damage(self, name: str) -> None:
        key = f"{PREFIX}{name[:2]}/{name[2:]}"
        self._call("put_object", Key=key, Body=b"half of it")

    def empty(self) -> None:
        for entry in self._call("list_objects_v2").get("Contents", []):
            self._call("delete_object", Key=entry["Key"])

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Let what is sent in this block break off: by the line, for moto forgets."""
        cut = self.relay.cut_after(12 * MEGABYTE, self.relay.unplug)
        try:
            yield
        finally:
            cut.wait(10)
            self.relay.plug()

    def refuse(self, clone: Clone) -> None:
        """Take a clone's credentials away."""
        for key in ("access_key_id", "secret_access_key"):
            clone.dvc("remote", "modify", "--local", "--unset", "mine", key)

    def _call(self, operation: str, **arguments: object) -> dict[str, Any]:
        client = botocore.session.Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=f"http://{HERE}:{self.relay.target}",
            aws_access_key_id=self.values["user"],
            aws_secret_access_key=self.values["password"],
        )
        answer: dict[str, Any] = getattr(client, operation)(Bucket=BUCKET, **arguments)
        return answer
