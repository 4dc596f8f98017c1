"""The frame of the exercise checks; right and wrong answers are run in chapters/solutions."""

import pytest

from minivae.checks import check


def test_an_exercise_not_tried_yet_is_neither_right_nor_an_error(capsys):
    assert check("4.1", None) is False
    assert "not tried yet" in capsys.readouterr().out


def test_an_answer_that_raises_is_told_so(capsys):
    assert check("4.3", lambda x, f: 1 / 0) is False
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_unknown_exercise():
    with pytest.raises(ValueError, match="no exercise"):
        check("9.9", 1)
