"""A process in place of that of a model; another process imports this module."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from convviz.web.worker_settings import WorkerSettings


def echo_worker(connection: Any, settings: WorkerSettings) -> None:
    """A process that sleeps, dies, counts, or returns its arguments."""
    while True:
        try:
            message = connection.recv()
        except EOFError:
            return
        if message[0] != "run":
            continue
        _, _, task, arguments = message
        if task == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "exit":
            sys.exit(3)
        if task == "sleep":
            time.sleep(60)
        connection.send(("progress", ("counting", 1.0, 2)))
        connection.send(("done", {"pid": os.getpid(), **arguments}, {}))
