from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from crosscam.synthetic.people import (
    BLACK,
    BLUE,
    WHITE,
    Person,
    difference,
    draw_people,
    draw_person,
)


@pytest.fixture
def person() -> Person:
    return draw_person(np.random.default_rng(0))


def test_difference_counts_weighted_attributes(person: Person):
    one = replace(person, bag="tote", top_colour=WHITE)
    assert difference(one, one) == 0
    assert difference(one, replace(one, top_colour=BLACK)) == 1
    assert difference(one, replace(one, bag="none")) == 3
    assert difference(one, replace(one, bag="none", top_colour=BLACK)) == 4


def test_difference_is_symmetric():
    one, other = draw_people(np.random.default_rng(1), 2)
    assert difference(one, other) == difference(other, one) > 0


def test_same_seed_same_people():
    people = [draw_people(np.random.default_rng(seed), 5) for seed in (3, 3, 4)]
    assert people[0] == people[1]
    assert people[0] != people[2]


def test_no_people():
    assert draw_people(np.random.default_rng(0), 0) == []


def test_candidates_keep_people_apart():
    def closest(num_candidates: int) -> float:
        people = draw_people(np.random.default_rng(0), 60, num_candidates)
        return min(
            difference(one, other)
            for row, one in enumerate(people)
            for other in people[:row]
        )

    # measured on seed 0: 10 with one candidate, 17 with twenty-four
    assert closest(24) > closest(1)


def test_draw_people_takes_the_candidate_farthest_from_its_nearest():
    people = draw_people(np.random.default_rng(5), 4, num_candidates=3)
    rng = np.random.default_rng(5)
    expected: list[Person] = []
    for _ in range(4):
        candidates = [draw_person(rng) for _ in range(3)]
        expected.append(
            max(
                candidates,
                key=lambda one: min(
                    (difference(one, other) for other in expected),
                    default=float("inf"),
                ),
            )
        )
    assert people == expected


def test_every_attribute_takes_more_than_one_value():
    people = draw_people(np.random.default_rng(0), 60, num_candidates=2)
    for field in fields(Person):
        assert len({getattr(person, field.name) for person in people}) > 1, field.name


def test_patterns_contrast_with_their_ground():
    people = draw_people(np.random.default_rng(0), 60, num_candidates=1)
    luma = np.array((0.3, 0.59, 0.11))
    for person in people:
        for ground, second in (
            (person.top_colour, person.top_second),
            (person.bottom_colour, person.bottom_second),
        ):
            assert abs(luma @ ground - luma @ second) >= 0.25 - 1e-9


def test_contrast_leaves_a_choice_for_every_ground():
    luma = np.array((0.3, 0.59, 0.11))
    assert abs(luma @ BLUE - luma @ WHITE) > 0.25
    assert abs(luma @ BLUE - luma @ BLACK) > 0.25
