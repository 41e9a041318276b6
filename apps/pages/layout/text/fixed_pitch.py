"""Which fonts of a page write all letters equally wide, measured on their words.

A font's name and flags state it in most files; in some they are missing or wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.raw_page import TextRun

# Mean widths of the words of a fixed font differ by less than the first, those of other fonts by more than the second.
MAX_FIXED_DIFFERENCE, MIN_OTHER_DIFFERENCE = 0.015, 0.04
MIN_PITCH_EMS, MAX_PITCH_EMS = 0.42, 0.75
MIN_WORDS, MIN_LETTERS, MIN_DISTINCT_LETTERS = 4, 16, 9
MEASURED_RUNS, MIN_MEASURED_LETTERS = 6, 5


def fixed_fonts(runs: Sequence[TextRun]) -> frozenset[str]:
    """Return the names of the fonts of fixed pitch among the runs."""
    samples: dict[str, list[TextRun]] = {}
    for run in runs:
        sample = samples.get(run.style.font)
        if sample is None:
            samples[run.style.font] = [run]
        elif len(sample) < MEASURED_RUNS and len(run.text) >= MIN_MEASURED_LETTERS:
            sample.append(run)
    return frozenset(font for font, sample in samples.items() if _is_fixed(sample, says_so=sample[0].style.fixed_pitch))


def _is_fixed(runs: Sequence[TextRun], *, says_so: bool) -> bool:
    words = [
        (word.text, word.width / len(word.text) / run.size)
        for run in runs
        if run.angle == 0 and run.size > 0
        for word in run.words or ()
        if len(word.text) > 1
    ]
    words += [
        (text, (run.x1 - run.x0) / len(text) / run.size)
        for run in runs
        if not run.words and run.angle == 0 and run.size > 0
        for text in (run.text.strip(),)
        if len(text) > 1 and " " not in text
    ]
    if len(words) < 2:
        return says_so
    pitches = sorted(pitch for _, pitch in words)
    difference = (pitches[-1] - pitches[0]) / max(pitches[0], 0.01)
    if says_so:
        return bool(difference < MIN_OTHER_DIFFERENCE)
    letters = "".join(text for text, _ in words)
    is_proof = len(words) >= MIN_WORDS and len(letters) >= MIN_LETTERS and len(set(letters)) >= MIN_DISTINCT_LETTERS
    return bool(is_proof and difference < MAX_FIXED_DIFFERENCE and MIN_PITCH_EMS < pitches[0] < MAX_PITCH_EMS)
