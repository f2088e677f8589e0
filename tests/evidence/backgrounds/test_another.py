"""Clean pictures of something else, by hand: what differs, and what damage it is not."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.evidence.backgrounds.another import another_picture
from uhop_cli.images.patterns import PatternSpec

WIDTH, PIXELS = 20, 400
SPEC = PatternSpec(WIDTH, PIXELS // WIDTH, 3)
GREY = 0.5
COLOURS = np.random.default_rng(9).integers(30, 225, (40, 3)) / 255


def memory() -> tuple[np.ndarray, np.ndarray]:
    """A pattern (400, 3) of 40 colours, opaque in its first 12 rows and clear in the others, on grey, and its veil (400,)."""
    veil = (np.arange(PIXELS) >= 12 * WIDTH).astype(np.float32)
    pattern = COLOURS[np.random.default_rng(0).permutation(np.arange(PIXELS) % 40)]
    pattern[veil > 0] = GREY
    return pattern, veil


def another(query: np.ndarray, pattern: np.ndarray | None = None) -> bool:
    known, veil = memory()
    known = known if pattern is None else pattern
    rows = [part.reshape(1, -1).astype(np.float32) for part in (query, known)]
    return bool(another_picture(*rows, veil[None], SPEC)[0])


def elsewhere(query: np.ndarray, places: list[int], levels: int = 40) -> np.ndarray:
    """The query with other colours, each one of its own: so many levels off at the first place, one more at each of the next."""
    changed = query.copy()
    for index, place in enumerate(places):
        changed[place] += np.where(query[place] < 0.5, 1, -1) * np.array([levels, levels, levels + index]) / 255
    return changed


def shaded() -> np.ndarray:
    """A pattern whose neighbours are two levels apart, as after noise, in 40 colours: no copy of it is clean by itself."""
    pattern, veil = memory()
    pattern[veil == 0] = (101 + 2 * (np.arange(PIXELS)[veil == 0, None] % 40)) / 255
    return pattern


SCATTERED = [0, 25, 51, 88, 110, 143, 171, 199, 216, 239]


def laid(colour: float | tuple[float, float, float]) -> np.ndarray:
    pattern, veil = memory()
    return pattern + veil[:, None] * (np.array(colour) - GREY)


@pytest.mark.parametrize("colour", [0.5, (0.1, 0.2, 0.9), 1.0, 0.0])
def test_a_copy_on_any_colour_is_none_and_one_with_other_colours_in_places_is(colour: float) -> None:
    assert not another(laid(colour))
    assert another(elsewhere(laid(colour), SCATTERED))


def test_neither_are_copies_in_other_light() -> None:
    for query in (0.5 * laid(0.8) + 0.1, laid((0.3, 0.6, 0.6)) + np.array([0.05, -0.05, 0.1])):
        assert not another(query)
        assert another(elsewhere(query, SCATTERED))


def test_in_other_light_all_that_has_no_value_at_0_may_lie_behind_it() -> None:
    """Each of the opaque colours is without one of the three; a fit to the others alone would see nothing of the memory."""
    pattern, veil = memory()
    opaque = np.flatnonzero(veil == 0)
    pattern[opaque, opaque % 3] = 0
    dimmed = 0.6 * (pattern + veil[:, None] * (0.9 - GREY))
    assert not another(dimmed, pattern)
    assert another(elsewhere(dimmed, SCATTERED), pattern)


def test_nor_covered_ones_and_those_that_have_lost_values() -> None:
    query = laid((0.1, 0.2, 0.9))
    covered = query.copy()
    covered[: PIXELS // 2] = 0.35
    assert not another(covered)
    lost = query * (np.random.default_rng(1).random((PIXELS, 3)) < 0.5)  # to 0, value by value
    assert not another(lost)
    clipped = np.minimum(query + 0.4, 1)
    assert not another(clipped)


def test_a_label_fills_a_rectangle() -> None:
    query = laid((0.1, 0.2, 0.9))
    label = [row * WIDTH + column for row in range(1, 11) for column in range(4, 14)]
    drawn = np.random.default_rng(2).integers(1, 255, (len(label) // 5, 3)).repeat(5, axis=0) / 255
    covered = query.copy()
    covered[label] = drawn
    assert not another(covered)
    covered[label[::2]] = query[label[::2]]  # half of it: as a thing of its own is
    assert another(covered)


def test_how_far_off_how_many_and_how_few() -> None:
    query = laid((0.1, 0.2, 0.9))
    # 1 to 8 levels off, of which 1 is rounding, and one is taken for a cover: between 4.5 and 5.5 in the median. Then 7 to 8.
    assert not another(elsewhere(query, SCATTERED[:8], 1))
    assert another(elsewhere(query, SCATTERED[:8], 4))
    # The colour of one place is taken for that of a cover: of 400 pixels 2 more are .005, and 1 is .0025.
    assert not another(elsewhere(query, SCATTERED[:2]))
    assert another(elsewhere(query, SCATTERED[:3]))


def test_one_new_colour_is_a_cover_if_it_lies_anywhere_and_of_another_picture_if_it_keeps_to_a_part() -> None:
    """24 pixels get one colour: anywhere, or on what is opaque alone."""
    green = np.array([30, 200, 90]) / 255
    for places, said in ((np.arange(PIXELS), False), (np.arange(12 * WIDTH), True)):
        changed = laid((0.1, 0.2, 0.9))
        changed[np.random.default_rng(4).choice(places, 24, replace=False)] = green
        assert another(changed) == said


def test_a_cover_of_the_background_s_colour_is_seen_on_what_is_opaque_alone() -> None:
    green = np.array([30, 200, 90]) / 255
    dusty = laid(tuple(green))
    dusty[np.random.default_rng(4).choice(12 * WIDTH, 24, replace=False)] = green
    assert not another(dusty)


@pytest.mark.parametrize(("first", "last"), [(2, 14), (1, 18)])
def test_a_cover_that_hides_most_of_the_background_is_not_of_its_colour(first: int, last: int) -> None:
    """The commonest colour where the memory is clear is then the cover's, and the background's that of what is as laid."""
    query = laid((0.1, 0.2, 0.9))
    query[first * WIDTH : last * WIDTH] = 0.35
    assert not another(query)


def test_parts_are_also_the_colours_of_the_memory() -> None:
    """All of six of its 40 colours are changed, 36 of 240 opaque pixels, and as large a share of the clear ones, 24 of 160."""
    changed, code = laid((0.1, 0.2, 0.9)), np.array([1, 2, 4])
    changed[np.isin(memory()[0] @ code, COLOURS[:6] @ code)] = np.array([30, 200, 90]) / 255
    assert (changed != laid((0.1, 0.2, 0.9))).any(axis=1).sum() in range(30, 43)
    changed[np.random.default_rng(6).choice(np.arange(12 * WIDTH, PIXELS), 24, replace=False)] = np.array([30, 200, 90]) / 255
    assert another(changed)


def test_a_part_in_the_background_s_colour_is_missing_and_one_in_another_colour_is_covered() -> None:
    """Rows 1 to 10, columns 4 to 13 of what is opaque; the memory has all of its 40 colours there and elsewhere. Then all that is
    clear has that colour: so it is that of the background, though nothing is left of the one that the memory was stored on."""
    rows, columns = np.divmod(np.arange(PIXELS), WIDTH)
    label, pattern = (rows >= 1) & (rows <= 10) & (columns >= 4) & (columns <= 13), memory()[0]
    pattern[label] = COLOURS[np.flatnonzero(label) % 6]
    query = np.where(memory()[1][:, None] > 0, np.array([0.1, 0.2, 0.9]), pattern)
    query[label] = (0.3, 0.8, 0.4)
    assert not another(query, pattern)
    query[label] = (0.1, 0.2, 0.9)
    assert another(query, pattern)
    # Five levels are not far off, though no light takes them off there and leaves them elsewhere.
    others, signs = (rows < 12) & ~label & (rows > 0), np.array([[1, 1, 1], [1, -1, 1]])
    pattern[others] = query[others] = np.array([0.1, 0.2, 0.9]) + 5 / 255 * signs[np.flatnonzero(others) % 2]
    pattern[label] = np.array([0.1, 0.2, 0.9]) + 5 / 255 * (signs * [1, 1, -1])[np.flatnonzero(label) % 2]
    assert not another(query, pattern)


def test_of_one_colour_where_the_memory_is_clear_a_query_is_clean_with_any_number_of_colours() -> None:
    """30 opaque pixels have other colours, and the rest is shaded as after noise; in the clear one pixel of 160 may differ."""
    query = elsewhere(shaded(), list(range(0, 240, 8)), 41)
    assert another(query, shaded())
    query[300] = query[1]
    assert another(query, shaded())
    query[301] = query[1]
    assert not another(query, shaded())


def test_one_colour_that_leaves_a_line_is_no_cover() -> None:
    """A yellow line of a pixel's width, on red, and on four colours."""
    pattern = COLOURS[np.arange(PIXELS) % 4]
    pattern[160:180] = (0.9, 0.8, 0.1)
    query = np.tile([0.6, 0.1, 0.1], (PIXELS, 1))
    query[160:180] = (0.9, 0.8, 0.1)
    rows = [part.reshape(1, -1).astype(np.float32) for part in (query, pattern)]
    assert another_picture(*rows, np.zeros((1, PIXELS), np.float32), SPEC)[0]
    query[160:240] = pattern[160:240]  # a fifth is left
    rows[0] = query.reshape(1, -1).astype(np.float32)
    assert not another_picture(*rows, np.zeros((1, PIXELS), np.float32), SPEC)[0]


def test_little_may_be_seen_of_the_background() -> None:
    """All but 29 scattered pixels are opaque, in four colours that are each commoner than the background."""
    pattern, veil = COLOURS[np.arange(PIXELS) % 4], (np.arange(PIXELS) % 14 == 3).astype(np.float32)
    pattern[veil > 0] = GREY
    query = pattern + veil[:, None] * (np.array([0.1, 0.2, 0.9]) - GREY)
    assert not another_picture(*(part.reshape(1, -1).astype(np.float32) for part in (query, pattern)), veil[None], SPEC)[0]


@pytest.mark.parametrize(("pixels", "said"), [(3, False), (2, True)])
def test_three_pixels_of_one_colour_tell_a_background(pixels: int, said: bool) -> None:
    """Through as many, a third transparent, it is seen too little for a fit to ask for it."""
    pattern, veil = memory()[0], np.zeros(PIXELS, np.float32)
    pattern[12 * WIDTH :] = COLOURS[np.arange(8 * WIDTH) % 40]
    veil[SCATTERED[:pixels]], pattern[SCATTERED[:pixels]] = 0.35, (0.6, 0.4, 0.2)
    query = pattern + veil[:, None] * (np.array([0.1, 0.2, 0.9]) - GREY)
    found = another_picture(*(part.reshape(1, -1).astype(np.float32) for part in (query, pattern)), veil[None], SPEC)
    assert found.tolist() == [said]


def shining_through(places: list[int], veil_there: float) -> tuple[np.ndarray, np.ndarray]:
    """The memory with some pixels through which the background shines, and its veil."""
    pattern, veil = memory()
    veil[places] = veil_there
    pattern[places] = np.linspace(0.1, 0.4, len(places))[:, None]
    return pattern, veil


def test_a_clipped_background_is_not_known_where_it_shines_through() -> None:
    """A background of .95 becomes 1.2 in light of .25 more, of which a quarter is seen through four pixels, and 1 in the file."""
    pattern, veil = shining_through(SCATTERED[:4], 0.25)
    bright = np.minimum(pattern + veil[:, None] * (0.95 - GREY) + 0.25, 1)
    rows = [part.reshape(1, -1).astype(np.float32) for part in (bright, pattern)]
    assert not another_picture(*rows, veil[None], SPEC)[0]


def test_in_the_light_that_it_was_stored_in_a_background_of_one_is_known() -> None:
    pattern, veil = shining_through(SCATTERED, 0.5)
    wrong = pattern + veil[:, None] * (1 - GREY)
    wrong[SCATTERED] += np.linspace(0.02, 0.3, len(SCATTERED))[::-1, None]  # as no background would
    rows = [part.reshape(1, -1).astype(np.float32) for part in (wrong, pattern)]
    assert another_picture(*rows, veil[None], SPEC)[0]


def test_a_picture_of_which_nothing_is_stored_is_left_to_the_facts() -> None:
    drawn = np.random.default_rng(3).integers(1, 255, (2, PIXELS, 3)) / 255
    assert not another(drawn[0], drawn[1])


def test_a_query_that_is_not_clean_by_itself_has_about_as_many_colours() -> None:
    """By hand: the memory has 41 colours, so that a clean query has at most 1.25 x 41 + 12 = 63.25."""
    places = list(range(0, 207, 9))
    for count, said in ((22, True), (23, False)):
        changed = elsewhere(shaded(), places[:count], 41)
        changed[[300, 301]] = changed[1]  # of one colour alone where the memory is clear it would be clean
        assert len(np.unique(np.rint(changed * 255), axis=0)) == 41 + count
        assert another(changed, shaded()) == said
    assert another(elsewhere(laid((0.1, 0.2, 0.9)), places)), "one that is clean may have more"


def test_what_has_nothing_of_the_memory_is_another_picture_if_it_is_clean_by_itself() -> None:
    """Red and green change places, as no light and no tone curve has it."""
    pattern, veil = memory()
    assert another(np.where(veil[:, None] == 0, pattern[:, [1, 0, 2]], pattern))
    pattern = shaded()
    every = pattern + np.where(veil[:, None] == 0, np.random.default_rng(7).permutation(pattern) - pattern, 0)
    every[veil == 0] = every[veil == 0] * [1, 0.6, 0.3]
    assert not another(every, pattern), "damaged by itself: left to the facts"


@pytest.mark.parametrize(("kept", "said"), [(3, False), (4, True)])
def test_a_label_on_a_clean_picture_fills_its_rectangle(kept: int, said: bool) -> None:
    """10 x 10 pixels, of which some are as they were: 3% may be, by chance."""
    query = laid((0.1, 0.2, 0.9))
    label = np.array([row * WIDTH + column for row in range(1, 11) for column in range(4, 14)])
    covered, palette = query.copy(), np.random.default_rng(2).integers(1, 255, (10, 3)) / 255
    covered[label] = palette[np.random.default_rng(8).integers(10, size=100)]
    covered[label[44 : 44 + kept]] = query[label[44 : 44 + kept]]
    assert another(covered) == said


def test_a_label_leaves_a_tenth_of_the_picture() -> None:
    query, palette = laid((0.1, 0.2, 0.9)), np.random.default_rng(2).integers(1, 255, (10, 3)) / 255
    for rows, said in ((10, False), (11, True)):  # of 12 that are opaque
        covered = query.copy()
        covered[: rows * WIDTH] = palette[np.random.default_rng(8).integers(10, size=rows * WIDTH)]
        assert another(covered) == said


def test_a_tone_curve_is_light() -> None:
    for query in (memory()[0] ** 2, np.sqrt(laid((0.1, 0.2, 0.9)))):
        assert not another(query)
        assert another(elsewhere(query, SCATTERED))


def test_a_background_is_seen_in_a_twentieth_of_what_is_clear() -> None:
    """White says nothing, so that all but 8 of the 160 clear pixels may be any background's; 7 are a stroke on white."""
    pattern, veil = memory()
    opaque = np.flatnonzero(veil == 0)
    pattern[opaque, opaque % 3] = 0  # nothing is open in all channels: a fit is to all pixels
    for count, said in ((8, False), (7, True)):
        query = np.where(veil[:, None] == 0, pattern, 1.0)
        query[np.flatnonzero(veil)[:count]] = (0.3, 0.8, 0)
        query[np.flatnonzero(veil)[[-3, -24, -45, -66, -87]]] = (0.8, 0.3, 0)
        assert another(query, pattern) == said


def test_a_picture_that_was_made_coarser_is_none() -> None:
    grid = laid((0.1, 0.2, 0.9)).reshape(WIDTH, WIDTH, 3)
    coarse = grid[::2, ::2].repeat(2, axis=0).repeat(2, axis=1)
    assert not another(coarse.reshape(PIXELS, 3))
    coarse[5, 5] += 0.1
    assert another(coarse.reshape(PIXELS, 3))


@pytest.mark.parametrize("channels", [3, 1])
def test_of_one_colour_only_the_colour_is_known(channels: int) -> None:
    """A wash of half opacity, on grey 128, as it is, on white and on black; one level is .004, and 6 are .0235."""
    spec = PatternSpec(WIDTH, PIXELS // WIDTH, channels)
    veil, wash = np.full((1, PIXELS), 0.5, np.float32), np.array([[0.2, 0.5, 0.4][:channels]])
    laid = {background: (0.5 * wash + 0.5 * background) for background in (128 / 255, 1, 0, 0.8)}
    memory = laid[128 / 255].repeat(PIXELS, axis=0).reshape(1, -1).astype(np.float32)
    for background, colour in laid.items():
        for off, said in ((0.02, False), (0.03, True)):
            query = (colour + off).repeat(PIXELS, axis=0).astype(np.float32)
            query[: PIXELS // 2] -= 0.02  # as rounding and compression leave one colour
            assert another_picture(query.reshape(1, -1), memory, veil, spec)[0] == (said or background == 0.8)


def test_noise_and_blur_make_colours() -> None:
    query = laid((0.1, 0.2, 0.9))
    assert not another(query + np.random.default_rng(5).normal(0, 0.2, query.shape))
    grid = query.reshape(WIDTH, WIDTH, 3)
    assert not another(((grid + np.roll(grid, 1, axis=0) + np.roll(grid, 1, axis=1)) / 3).reshape(PIXELS, 3))


def test_each_query_has_its_own_memory() -> None:
    pattern, veil = memory()
    queries = np.stack([laid(0.2), elsewhere(laid(0.2), SCATTERED)]).reshape(2, -1).astype(np.float32)
    patterns = np.stack([pattern, pattern]).reshape(2, -1).astype(np.float32)
    assert another_picture(queries, patterns, np.stack([veil, veil]), SPEC).tolist() == [False, True]
