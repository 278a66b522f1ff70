"""Fitted weights of the signs in `confidence.py`; made by `python -m benchmarks.calibration`."""

WEIGHTS: dict[str, dict[str, float]] = {
    "kept": {"bias": 3.0, "skipped_once": -6.0, "unrun_skipped": 5.0},
    "changed": {"bias": 2.0},
    "new": {"bias": 2.0, "look": -3.0, "skipped_once": -6.0, "swept": 3.0, "broken": -4.0},
    "prose": {"bias": 1.0},
}
