"""OpenSSH's own server, with keys and settings of its own."""

from __future__ import annotations

import getpass
import os
import subprocess
from pathlib import Path

from tests.servers.clones import Clone
from tests.servers.relay import HERE
from tests.servers.server import Server, program


class SSH(Server):
    """It lets in whoever runs the tests, by a key."""

    commands = (
        "dvc remote add --local -d mine ssh://{user}@{host}:{port}{folder}",
        "dvc remote modify --local mine keyfile {key}",
    )
    down = "Connect call failed"
    refused = "Permission denied for user"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        generate = program("ssh-keygen", "openssh-client")
        for name in ("host", "user", "stranger"):
            command = (generate, "-q", "-t", "ed25519", "-N", "", "-f", name)
            subprocess.run(command, cwd=folder, check=True)
        (folder / "config").write_text(
            f"ListenAddress {HERE}\n"
            f"Port {self.relay.target}\n"
            f"HostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/user.pub\n"
            "AuthenticationMethods publickey\n"
            "PidFile none\n"
            "StrictModes no\n"  # the folders above this one may be open to anybody
            "Subsystem sftp internal-sftp\n"
        )
        self.values |= {"user": getpass.getuser(), "key": folder / "user"}

    def process(self) -> list[str]:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # root's sshd insists on it
        sshd = program("sshd", "openssh-server")
        return [sshd, "-D", "-e", "-f", str(self.home / "config")]

    def refuse(self, clone: Clone) -> None:
        """Give a clone a key that the server does not know."""
        key = str(self.home / "stranger")
        clone.dvc("remote", "modify", "--local", "mine", "keyfile", key)
