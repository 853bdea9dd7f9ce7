"""A flow between two columns as a picture: where each band begins and ends. No styles, no scripts: shapes only."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, NODE, GAP, LABELS = 720, 14, 12, 170
LEAST_HEIGHT = 3.0


@dataclass(frozen=True)
class Node:
    """A bar with its name. `series` is its colour, 0 for none."""

    label: str
    value: int
    series: int
    x: float
    y: float
    height: float
    label_x: float
    is_left: bool

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    @property
    def inner_x(self) -> float:
        """Where the name stands when there is no room beside the bar: over the bands."""
        return self.x + NODE + 6 if self.is_left else self.x - 6


@dataclass(frozen=True)
class Band:
    """A band from a bar on the left to one on the right."""

    before: str
    after: str
    value: int
    series: int
    path: str


@dataclass(frozen=True)
class Picture:
    """Everything a template draws, in a box of `width` by `height`."""

    width: int
    height: float
    nodes: list[Node]
    bands: list[Band]

    @property
    def box(self) -> str:
        """The view box, with room for half a line above and below."""
        return f"0 -14 {self.width} {self.height + 28:.0f}"


def draw(
    flows: Sequence[tuple[str, str, int]],
    *,
    left: Sequence[tuple[str, int]],
    right: Sequence[tuple[str, int]],
    height: int = 320,
) -> Picture:
    """Lay out a flow.

    Args:
        flows: name on the left, name on the right, how many.
        left, right: names from top to bottom, each with its colour's number; names nobody flows through are left out.

    >>> picture = draw([("a", "a", 3), ("a", "b", 1)], left=[("a", 1)], right=[("a", 1), ("b", 2)], height=112)
    >>> [(node.label, node.value, node.height) for node in picture.nodes]
    [('a', 4, 100.0), ('a', 3, 75.0), ('b', 1, 25.0)]
    >>> picture.bands[0].path
    'M184.0 0.0C360.0 0.0 360.0 0.0 536.0 0.0V75.0C360.0 75.0 360.0 75.0 184.0 75.0Z'
    """
    total = sum(value for _before, _after, value in flows) or 1
    used_left = [(name, series) for name, series in left if any(before == name for before, _after, _value in flows)]
    used_right = [(name, series) for name, series in right if any(after == name for _before, after, _value in flows)]
    gaps = max(len(used_left), len(used_right), 1) - 1
    scale = (height - GAP * gaps) / total
    starts = {
        name: y for name, y, _tall in _column(used_left, [(before, value) for before, _after, value in flows], scale)
    }
    ends = {
        name: y for name, y, _tall in _column(used_right, [(after, value) for _before, after, value in flows], scale)
    }
    nodes = [
        *_nodes(used_left, [(before, value) for before, _after, value in flows], scale, x=LABELS, is_left=True),
        *_nodes(
            used_right,
            [(after, value) for _before, after, value in flows],
            scale,
            x=WIDTH - LABELS - NODE,
            is_left=False,
        ),
    ]
    order_left, order_right = [name for name, _series in used_left], [name for name, _series in used_right]
    colour, target = dict(used_left), dict(used_right)
    bands = []
    for before, after, value in sorted(flows, key=lambda one: (order_left.index(one[0]), order_right.index(one[1]))):
        tall = value * scale
        bands.append(
            Band(
                before,
                after,
                value,
                colour[before] or target[after],
                _path(LABELS + NODE, starts[before], WIDTH - LABELS - NODE, ends[after], tall),
            )
        )
        starts[before] += tall
        ends[after] += tall
    return Picture(WIDTH, max((node.y + node.height for node in nodes), default=0.0), nodes, bands)


def _column(
    names: Sequence[tuple[str, int]], ends: Sequence[tuple[str, int]], scale: float
) -> list[tuple[str, float, float]]:
    found, y = [], 0.0
    for name, _series in names:
        tall = sum(value for of, value in ends if of == name) * scale
        found.append((name, y, tall))
        y += tall + GAP
    return found


def _nodes(
    names: Sequence[tuple[str, int]], ends: Sequence[tuple[str, int]], scale: float, *, x: float, is_left: bool
) -> list[Node]:
    series = dict(names)
    return [
        Node(
            name, sum(value for of, value in ends if of == name), series[name], x, round(y, 1), round(max(tall, LEAST_HEIGHT), 1),
            x - 8 if is_left else x + NODE + 8, is_left,
        )
        for name, y, tall in _column(names, ends, scale)
    ]  # fmt: skip


def _path(x0: float, y0: float, x1: float, y1: float, tall: float) -> str:
    middle = (x0 + x1) / 2
    x0, x1, y0, y1, middle, tall = float(x0), float(x1), round(y0, 1), round(y1, 1), round(middle, 1), round(tall, 1)
    return (
        f"M{x0} {y0}C{middle} {y0} {middle} {y1} {x1} {y1}V{round(y1 + tall, 1)}"
        f"C{middle} {round(y1 + tall, 1)} {middle} {round(y0 + tall, 1)} {x0} {round(y0 + tall, 1)}Z"
    )
