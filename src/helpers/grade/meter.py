"""How much processor time a process and its descendants have used, and whether they only wait."""

import os
from pathlib import Path


class Meter:
    """``read()`` gives (seconds used, whether all wait); (0, False) where that is unknown."""

    def __init__(self, pid):
        self.pid = pid
        self.known = Path(f"/proc/{pid}/task/{pid}/children").exists()
        self.tick = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

    def read(self):
        if not self.known:
            return 0.0, False
        used, waits, pids = 0, True, [self.pid]
        while pids:
            pid = pids.pop()
            try:
                # "pid (name) state parent ..."; the name may hold anything, a ")" too
                fields = (
                    Path(f"/proc/{pid}/stat")
                    .read_text("utf-8", "replace")
                    .rpartition(")")[2]
                    .split()
                )
                pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            except (OSError, ValueError):
                continue  # it has ended
            waits &= fields[0] not in "RD"
            used += int(fields[11]) + int(fields[12])
        return used / self.tick, waits
