"""`python -m mkbench`."""

import sys

from mkbench.cli.main import main

sys.exit(main())
