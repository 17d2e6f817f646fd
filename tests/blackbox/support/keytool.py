"""The JDK's keytool on the keystore of a data directory: the other program that must understand the file."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

COMMAND_S = 60.0


class Keytool:
    def __init__(self, data: Path):
        self.file = data / "keystore.p12"
        self.password_file = data / "keystore-password"

    def run(self, *arguments: str, typed: str = "", expect: int = 0) -> str:
        """What keytool says; `typed` is what a person would type."""
        command = ["keytool", *arguments, "-keystore", str(self.file), "-storetype", "PKCS12", "-storepass:file", str(self.password_file)]
        done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=COMMAND_S)
        assert done.returncode == expect, f"{command[1]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def put(self, alias: str, value: str) -> None:
        self.run("-importpass", "-alias", alias, typed=f"{value}\n{value}\n")

    def delete(self, alias: str) -> None:
        self.run("-delete", "-alias", alias)

    def aliases(self) -> set[str]:
        return set(re.findall(r"^(\S+), .*SecretKeyEntry", self.run("-list"), re.MULTILINE))
