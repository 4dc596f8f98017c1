"""Chapter 13's trainings with another seed are those that are recorded."""

import json

import pytest
import study_pairs


@pytest.mark.slow
def test_the_recorded_seed_comes_out_again():
    recorded = json.loads((study_pairs.ROOT / "data" / "studies" / "pairs-seed1.json").read_text(encoding="utf-8"))
    assert recorded["command"] == "python tools/study_pairs.py 1"
    for old, new in zip(recorded["rows"], study_pairs.rows(1), strict=True):
        assert new["model"] == old["model"]
        for name, room in (("excess", 3.0), ("KL", 0.5), ("TC", 0.15), ("MIG", 0.06)):  # as processors round
            assert new[name] == pytest.approx(old[name], abs=room), (old["model"], name)
