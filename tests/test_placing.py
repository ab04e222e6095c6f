"""Names in a picture: beside their marks, over no mark and over no other name while there is room."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.report.placing import Names, Place

AROUND = [Place(0, 10), Place(9, 0), Place(-9, 0), Place(0, -10), Place(0, 22)]


@pytest.fixture
def axes():
    figure = Figure(figsize=(4, 3))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    return axes


def boxes(axes):
    return {note.get_text(): note.get_window_extent() for note in axes.texts}


def written(axes, at, places=AROUND):
    names = Names(axes)
    for n, point in enumerate(at):
        names.mark(*point, 5)
        names.name(f"signal {n}", point, places, fontsize=8)
    names.write(axes.figure)
    return boxes(axes)


def test_a_name_alone_takes_its_first_place(axes):
    (box,) = written(axes, [(0.5, 0.5)]).values()
    across, along = axes.transData.transform((0.5, 0.5))
    assert (box.x0 + box.x1) / 2 == pytest.approx(across, abs=1)
    assert box.y0 == pytest.approx(along + 10 * axes.figure.dpi / 72, abs=1)


def test_names_of_close_marks_cover_neither_each_other_nor_a_mark(axes):
    at = [(0.45, 0.5), (0.5, 0.55), (0.55, 0.5)]
    found = written(axes, at)
    assert len(found) == 3
    for one, box in found.items():
        assert not [other for other in found if other != one and box.overlaps(found[other])]
        for across, along in axes.transData.transform(at):
            assert not (box.x0 < across < box.x1 and box.y0 < along < box.y1)


def test_with_a_single_place_they_do(axes):
    one, two = written(axes, [(0.45, 0.5), (0.5, 0.5)], AROUND[:1]).values()
    assert one.overlaps(two)


def test_a_name_stays_inside_its_axes(axes):
    (box,) = written(axes, [(0.99, 0.9)]).values()
    frame = axes.get_window_extent()
    assert box.x1 <= frame.x1 and box.y1 <= frame.y1
