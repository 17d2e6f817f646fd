"""Functions that wait until a test lets them go: as long as the test needs, on a machine of any speed."""

from __future__ import annotations

from pathlib import Path

from support.server import Server


class Gate:
    """Closed until `open()`. Functions may read below DATA/resources, so that is where it lies."""

    def __init__(self, server: Server, name: str = "gate"):
        self.path: Path = server.data / "resources" / name

    def open(self) -> None:
        self.path.write_text("")

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *_) -> None:
        """Whatever happened: nobody waits for ever."""
        self.open()


# For scripts: returns when the file is there.
PASS = '''
def pass_gate(path):
    import os, time
    while not os.path.exists(path):
        time.sleep(0.02)
'''
