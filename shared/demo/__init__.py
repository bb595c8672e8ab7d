"""The demonstration: live traffic, and the mission's tests on real topics and the real clock. Read ``scenarios.py`` first."""
