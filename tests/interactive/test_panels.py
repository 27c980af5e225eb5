"""Panels: what they accept, and what they say about the rest."""

import base64

import numpy as np
import pytest

from stmlab.interactive import Image, Lines


def image(z=((0.0, 1.0), (2.0, 3.0)), **options):
    return Image(z, (0, 2, 0, 2), **{"alt": "Four pixels.", **options})


def lines(ys=((0.0, 1.0),), x=(0.0, 1.0), **options):
    return Lines(x, ys, **{"alt": "A line.", **options})


def test_levels_put_the_top_row_first():
    assert image().levels().tolist() == [[170, 255], [0, 85]]


def test_fixed_scale_clips():
    levels = image([[-5.0, 0.0], [1.0, 9.0]], vmin=0, vmax=1).levels()
    assert levels.tolist() == [[255, 255], [0, 0]]


def test_constant_image_has_a_scale():
    lo, hi = image(np.full((2, 2), 5.0)).scale
    assert lo < 5 < hi
    assert image(np.full((2, 2), 5.0)).levels().min() in (127, 128)


def test_colours_are_those_of_the_map():
    colours = np.frombuffer(base64.b64decode(image(cmap="gray").look()["colours"]), "u1").reshape(256, 3)
    np.testing.assert_array_equal(colours, np.arange(256)[:, None].repeat(3, 1))


def test_points_may_be_one_group_several_or_none():
    assert image(points=[(1, 2)]).frame()["points"] == [[[1.0, 2.0]]]
    assert image(points=[]).frame()["points"] == [[]]
    groups = image(points={"truth": [(1, 2)], "found": np.zeros((0, 2))})
    assert groups.look()["labels"] == ["truth", "found"]
    assert groups.frame()["points"] == [[[1.0, 2.0]], []]


def test_axis_limits_leave_a_margin():
    frame = lines([[0.0, 10.0]]).frame()
    assert frame["xlim"] == [0.0, 1.0]
    assert frame["ylim"] == pytest.approx([-0.4, 10.4])
    assert lines(ylim=(-3, 3)).frame()["ylim"] == [-3.0, 3.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: image(alt=""), "Image .*alt is missing"),
        (lambda: lines(alt="  ", title="Cut"), "Lines 'Cut': alt is missing"),
        (lambda: image([[1.0, np.nan]]), r"1 value\(s\) that are not finite"),
        (lambda: image([1.0, 2.0]), r"z has shape \(2,\)"),
        (lambda: image(vmin=0), "both vmin and vmax"),
        (lambda: image(vmin=1, vmax=1), "must increase"),
        (lambda: Image([[1.0]], (0, 0, 0, 1), alt="x"), "extent along x"),
        (lambda: image(points=[(np.nan, 1)]), "not finite"),
        (lambda: image(points={key: [(1, 1)] for key in "abcd"}), "at most 3"),
        (lambda: lines([[1.0, np.inf]]), "not finite"),
        (lambda: lines([[1.0, 2.0, 3.0]]), "x has 2 values but the curves have 3"),
        (lambda: lines([[1.0, 2.0], [3.0, 4.0]]), r"2 curve\(s\) but 0 label"),
        (lambda: lines(xlim=(1, 0)), "xlim"),
    ],
)
def test_wrong_panels_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
