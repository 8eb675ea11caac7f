"""Risk models: they score and learn from plain mappings of features, and import nothing of the detector.

None is built yet. What belongs here: the models themselves, their registry by content hash, and how their
scores are calibrated; not where features come from, which is the detector's.
"""
