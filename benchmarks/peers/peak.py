"""The peak of memory of a command.

python -m peers.peak COMMAND WORD ...
"""

from __future__ import annotations

import resource
import subprocess
import sys

from peers import shapes

if __name__ == "__main__":
    done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    shapes.publish({}, resource.RUSAGE_CHILDREN)
