"""Every metric gives the same value in two processes as in one."""

from pathlib import Path

import pytest
import torch
from metric_cases import CASES, PROCESSES, run_process
from torch import multiprocessing


@pytest.fixture(scope="module")
def process_values(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, torch.Tensor]]:
    folder: Path = tmp_path_factory.mktemp("processes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOO_SOCKET_IFNAME", "lo")  # a host name need not resolve
        patch.setenv("OMP_NUM_THREADS", "1")
        multiprocessing.spawn(run_process, args=(str(folder),), nprocs=PROCESSES)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES)]


@pytest.mark.parametrize("name", CASES)
def test_value_is_that_of_one_process(process_values: list[dict[str, torch.Tensor]], name: str) -> None:
    case = CASES[name]
    alone = case.metric()
    for update in case.updates:
        alone.update(*update)
    expected = alone.compute()
    assert torch.isfinite(expected).all()
    for values in process_values:
        torch.testing.assert_close(values[name], expected, rtol=0, atol=1e-13)
