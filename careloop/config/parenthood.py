"""Children that end with their parent, even when the parent was killed outright (Linux)."""

import ctypes
import os
import signal
import sys

SUPERVISED = "CARELOOP_SUPERVISED"  # set for what `careloop up` starts
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def end_with(parent: int, number: signal.Signals) -> None:
    """Ask the kernel to send this process `number` when its parent is gone; end at once if it is gone already."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, number)
    if os.getppid() != parent:
        os._exit(1)


def end_with_server() -> None:
    """Called in a web process: the server that started it may be killed while processes are starting, and cannot tell them.

    Nothing is lost: a request that is cut off is rolled back, and whoever killed the server outright asked for it.
    """
    if os.environ.get(SUPERVISED):
        end_with(os.getppid(), signal.SIGKILL)
