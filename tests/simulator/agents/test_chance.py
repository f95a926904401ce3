"""Draws that depend on what they are for, and on nothing else."""

import os
import subprocess
import sys

import numpy as np

from simulator.agents.chance import draw, key


def test_draws_are_spread_evenly_and_do_not_follow_each_other():
    draws = np.array([draw(key(0, "a", "b"), counter) for counter in range(20_000)])
    assert 0 <= draws.min() <= draws.max() < 1
    counts = np.bincount((draws * 20).astype(int), minlength=20)
    # 1,000 each, give or take five standard deviations.
    assert abs(counts - 1000).max() < 160
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.04


def test_keys_differ_by_seed_and_by_where_names_end():
    assert len({key(0, "ab", "c"), key(0, "a", "bc"), key(1, "ab", "c"), key(0, "ab", "c", "")}) == 4


def test_draws_are_the_same_in_another_process_with_another_hash_seed():
    program = "from simulator.agents.chance import draw, key; print(draw(key(7, 'a', 'b'), 3))"
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {f"{draw(key(7, 'a', 'b'), 3)}\n"}
