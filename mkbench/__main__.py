"""`python -m mkbench`."""

import sys

from mkbench.cli import main

sys.exit(main())
