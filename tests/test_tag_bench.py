"""The bench of the tag reader meets its goals, on the real interpreter."""

from host.figures.tag_bench import tag


def test_every_goal_is_met():
    figures = {figure.name: figure for figure in tag()}
    goals = [figure for figure in figures.values() if figure.met is not None]
    assert len(goals) == 7
    assert [figure.name for figure in goals if not figure.met] == []
    assert figures["full update, longest step"].value <= 60
    assert figures["block one tag, modelled flash time"].value <= 100
    assert figures["heap: look up"].value <= 128
