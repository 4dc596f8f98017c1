"""The frame of the exercise checks; right and wrong answers are run in chapters/solutions."""

import math

import pytest
import torch

from minivae.checks import check


def test_an_exercise_not_tried_yet_is_neither_right_nor_an_error():
    verdict = check("4.1", None)
    assert not verdict and repr(verdict) == "Exercise 4.1: not tried yet."


def test_an_answer_that_raises_is_told_so():
    verdict = check("4.3", lambda x, f: 1 / 0)
    assert not verdict and "ZeroDivisionError" in repr(verdict)


def test_a_right_answer_is_told_so():
    verdict = check("7.1", -600 * (0.2 * math.log(0.2) + 0.8 * math.log(0.8)))
    assert verdict and repr(verdict) == "Exercise 7.1: right."


def test_unknown_exercise():
    with pytest.raises(ValueError, match="no exercise"):
        check("9.9", 1)


@pytest.mark.parametrize(
    ("exercise", "answer", "message"),
    [
        ("7.1", len, "one number is asked for, got <built-in function len>"),
        ("7.1", torch.ones(2), "one number is asked for, got tensor"),
        ("7.2", 3.0, "a function is asked for (answer = your_function, not called), got 3.0"),
        ("7.2", lambda images, classes: None, "your function returned None: is its `return` missing?"),
        ("7.2", lambda images: 0.0, "your answer raised TypeError: "),
    ],
)
def test_an_answer_of_the_wrong_kind_is_told_what_is_asked_for(exercise, answer, message):
    verdict = check(exercise, answer)
    assert not verdict and repr(verdict).startswith(f"Exercise {exercise}: not yet: {message}")
