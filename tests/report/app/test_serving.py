from __future__ import annotations

import pytest

from mkbench.errors import UsageError
from mkbench.report.app.serving import require_address


@pytest.mark.parametrize("host", ["no such host", "203.0.113.9"])  # the second is of a network for examples
def test_addresses_of_others_are_refused(host: str) -> None:
    with pytest.raises(UsageError, match=f"Expected an address of this machine after --host, found '{host}'"):
        require_address(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_own_addresses(host: str) -> None:
    require_address(host)
