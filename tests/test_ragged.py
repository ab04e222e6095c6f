import resource
import subprocess
import sys

import numpy as np
import pytest

from bench.ragged import Ragged, RaggedWriter


def write(folder, arrays, tail=(2,)):
    with RaggedWriter(folder, "x", dtype="float32", tail=tail) as writer:
        for id, array in arrays.items():
            writer.add(id, array)


def test_arrays_of_unequal_length_come_back_by_id(tmp_path):
    arrays = {"a b": np.ones((3, 2), "float32"), "été/\n'": np.zeros((0, 2), "float32"), "c": np.full((1, 2), 7, "float32")}
    write(tmp_path, arrays)
    found = Ragged(tmp_path, "x")
    assert list(found) == list(arrays) and found.lengths().tolist() == [3, 0, 1]
    assert all((found[k] == v).all() for k, v in arrays.items())


def test_an_empty_collection_can_be_read(tmp_path):
    write(tmp_path, {})
    assert len(Ragged(tmp_path, "x")) == 0


def test_a_cut_file_is_not_taken_for_whole(tmp_path):
    write(tmp_path, {"a": np.ones((3, 2), "float32")})
    path = tmp_path / "x.values"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="cut or changed"):
        Ragged(tmp_path, "x")


def test_one_id_is_added_once_and_in_one_shape(tmp_path):
    with RaggedWriter(tmp_path, "x", dtype="float32", tail=(2,)) as writer:
        writer.add("a", np.ones((1, 2)))
        with pytest.raises(ValueError, match="twice"):
            writer.add("a", np.ones((1, 2)))
        with pytest.raises(ValueError, match="rows of shape"):
            writer.add("b", np.ones((1, 3)))


READ = """
import resource, sys
from pathlib import Path
from bench.ragged import Ragged
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = Ragged(Path(sys.argv[1]), "x")
total = sum(float(found[i][0, 0]) for i in list(found)[:50])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_opening_many_clips_needs_no_more_memory_than_few(tmp_path):
    """200 MB of arrays are opened and read in part; what grows is the index, some 200 bytes a clip."""
    grown = {}
    for clips in (200, 20_000):
        folder = tmp_path / str(clips)
        folder.mkdir()
        with RaggedWriter(folder, "x", dtype="float32", tail=(25,)) as writer:
            row = np.ones((100, 25), "float32")
            for i in range(clips):
                writer.add(f"clip {i}", row)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # the writer kept no array
        grown[clips] = int(
            subprocess.run([sys.executable, "-c", READ, str(folder)], capture_output=True, text=True, check=True).stdout
        )
    assert grown[20_000] - grown[200] < 12_000  # kB, against 200,000 kB of values
