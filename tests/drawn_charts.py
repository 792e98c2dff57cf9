"""What a chart shows, read off its parts."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D


def series(axis: Axes) -> dict[str, list[tuple[float, float]]]:
    """Label → points of every series with markers; a series alone has no label."""
    marked = [line for line in axis.lines if line.get_marker() not in ("None", "")]
    return {"" if line.get_label().startswith("_") else line.get_label(): points(line) for line in marked}


def points(line: Line2D) -> list[tuple[float, float]]:
    """Where a line has points; missing values are none."""
    x, y = (np.asarray(values, float).round(9) for values in line.get_data())
    there = np.isfinite(x) & np.isfinite(y)
    return list(zip(x[there].tolist(), y[there].tolist(), strict=True))


def intervals(axis: Axes, direction: str) -> list[tuple[float, float]]:
    """Ends of every horizontal ("x") or vertical ("y") interval, in drawing order."""
    column = "xy".index(direction)
    lines = [part for part in axis.collections if isinstance(part, LineCollection)]
    ends = [segment for part in lines for segment in part.get_segments() if len(segment)]  # none for a missing value
    return [tuple(segment[:, column].round(9).tolist()) for segment in ends]


def bands(axis: Axes, direction: str) -> list[tuple[float, float]]:
    """Ends of the shaded spans and of the areas between two curves, in drawing order."""
    column = "xy".index(direction)
    corners = [
        path.vertices for part in axis.collections if isinstance(part, PolyCollection) for path in part.get_paths()
    ]
    corners += [patch.get_patch_transform().transform(patch.get_path().vertices) for patch in axis.patches]
    return [tuple(np.round([part[:, column].min(), part[:, column].max()], 9).tolist()) for part in corners]


def bars(axis: Axes) -> dict[str, list[tuple[float, float]]]:
    """Label → where each of its bars begins and how long it is, from the first row on."""
    return {
        group.get_label(): [(round(bar.get_x(), 9), round(bar.get_width(), 9)) for bar in group]
        for group in axis.containers
    }


def cells(axis: Axes) -> list[list[str]]:
    """Texts in the cells of a table, row by row; empty where there is none."""
    (mesh,) = (part for part in axis.collections if isinstance(part, QuadMesh))
    rows, columns = np.shape(mesh.get_array())
    texts = {tuple(int(place) for place in text.get_position()): text.get_text() for text in axis.texts}
    return [[texts.get((column, row), "") for column in range(columns)] for row in range(rows)]


def in_rows(drawn: dict[str, list[tuple[float, float]]]) -> dict[str, list[tuple[float, int]]]:
    """Series with each point's row in place of its height, which keeps series of one row apart."""
    return {label: [(x, round(y)) for x, y in found] for label, found in drawn.items()}


def row_labels(axis: Axes) -> list[str]:
    """Labels of the vertical axis from top to bottom."""
    places = [axis.transData.transform((0, place))[1] for place in axis.get_yticks()]
    texts = [label.get_text() for label in axis.get_yticklabels()]
    return [text for _, text in sorted(zip(places, texts, strict=True), reverse=True)]


def column_labels(axis: Axes) -> list[str]:
    return [label.get_text() for label in axis.get_xticklabels()]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for found in figure.legends for text in found.get_texts()]


def assert_shown(figure: Figure) -> None:
    """Nothing lies outside of the figure, and no point of a series outside of its axes."""
    figure.canvas.draw()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= -0.01 and box.y0 >= -0.01, box
    assert box.x1 <= width + 0.01 and box.y1 <= height + 0.01, box
    for axis in figure.axes:
        (left, right), (bottom, top) = sorted(axis.get_xlim()), sorted(axis.get_ylim())
        for label, drawn in series(axis).items():
            for x, y in drawn:
                assert left <= x <= right and bottom <= y <= top, (label, x, y)
