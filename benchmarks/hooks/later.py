"""Python's clock is years ahead."""

import time

_time, _localtime = time.time, time.localtime
AHEAD = 5 * 365 * 86400
time.time = lambda: _time() + AHEAD
time.localtime = lambda seconds=None: _localtime(
    time.time() if seconds is None else seconds
)
