"""A process that ends with the one that started it, however that one ends."""

import ctypes
import os
import signal

PARENT = "KRAFTFLYT_PARENT"  # environment: process whose end is the end of this one

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Let the system kill this process when the thread that started it ends; to be called before anything else.

    Where the system cannot (only Linux can) nothing happens. If the parent has ended already, this process ends at
    once: who is looked for stands in the environment, else a process that was handed to init counts as left behind.

    Source: prctl(2), PR_SET_PDEATHSIG; a stopped process is killed too.
    """
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return
    prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    expected = os.environ.get(PARENT, "")
    parent = os.getppid()
    if (expected.isdigit() and parent != int(expected)) or (not expected and parent == 1):
        os._exit(1)
