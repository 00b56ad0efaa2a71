"""`python -m anyseq`."""

import sys

from anyseq.cli.main import main

sys.exit(main())
