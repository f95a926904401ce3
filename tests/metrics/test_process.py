import gc
import os
import time
from pathlib import Path

import pytest

from radiod.metrics.process import GcPauses, collector_families, open_descriptors, process_families


def told(families):
    return dict(line.split(" ") for family in families for line in family.lines() if line[0] != "#")


def test_the_process_is_this_one():
    found = told(process_families())
    assert float(found["process_cpu_seconds_total"]) == pytest.approx(time.process_time(), rel=0.5)
    assert 0 < time.time() - float(found["process_start_time_seconds"]) < 86_400
    assert int(found["process_open_fds"]) == pytest.approx(len(os.listdir("/proc/self/fd")), abs=3)
    assert int(found["process_virtual_memory_bytes"]) > int(found["process_resident_memory_bytes"]) > 1 << 20
    assert int(found["process_max_fds"]) > 0


def test_elsewhere_it_is_left_out(tmp_path):
    assert told(process_families(tmp_path)) == {}
    (tmp_path / "stat").write_text("1 (a) S")
    assert told(process_families(tmp_path)) == {}


def test_descriptors_are_counted_where_the_kernel_does_not(tmp_path):
    class Old(type(Path())):
        def stat(self, **options):
            return os.stat_result([0] * 10)

    for name in "abc":
        (tmp_path / name).touch()
    assert open_descriptors(Old(tmp_path)) == 3


def test_each_collection_is_a_pause_while_they_are_watched():
    moments = iter([10.0, 10.03, 20.0, 20.2])
    pauses = GcPauses(lambda: next(moments))
    was_on = gc.isenabled()
    gc.disable()
    try:
        pauses.start()
        pauses.start()
        gc.collect()
        gc.collect()
    finally:
        pauses.stop()
        pauses.stop()
        if was_on:
            gc.enable()
    gc.collect()
    assert pauses.pauses.count == 2
    assert pauses.pauses.sum == pytest.approx(0.23)
    found = told(collector_families(pauses))
    assert found["radiod_gc_pause_seconds_count"] == "2"
    assert int(found['python_gc_collections_total{generation="2"}']) >= 3
