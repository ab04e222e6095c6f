import pytest

from bench.context import Context, allotted_cores


@pytest.mark.parametrize(("said", "threads"), [("", None), ("3", 3), ("2,1", 2), ("many", None)])
def test_threads_follow_the_environment_where_it_says_a_number(monkeypatch, said, threads):
    import torch

    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert Context().torch().get_num_threads() == (threads or allotted_cores())
    torch.set_num_threads(before)


def test_slurms_allotment_counts_and_not_the_machine(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert allotted_cores() == 3
