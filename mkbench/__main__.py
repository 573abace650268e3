"""`python -m mkbench`."""

import os
import sys

# Python has put the working directory first; a file that happens to lie there must not be imported.
if not getattr(sys.flags, "safe_path", False) and sys.path[:1] == [os.getcwd()]:
    del sys.path[0]

from mkbench.cli.main import main

sys.exit(main())
