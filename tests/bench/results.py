# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured: rows of columns of samples, their medians, and the ratio in the one run."""

import statistics
from dataclasses import dataclass, field

REFERENCE, DRIVE = "reference", "drive"
AT_LEAST, AT_MOST = "≥", "≤"


@dataclass
class Row:
    key: str
    title: str
    unit: str                   # of each sample
    reference: str = ""         # what the column "reference" is; "": there is none
    better: str = AT_MOST       # AT_LEAST: more is better
    target: float | None = None # for the ratio, or, where there is no reference, for the drive itself
    rtt_ms: float = 0
    samples: dict = field(default_factory=dict)  # column: [one a round]
    problems: dict = field(default_factory=dict) # column: why there is none
    processors: dict = field(default_factory=dict) # column: [what processors.py found, one a round], in the first row of a workload

    def add(self, column, value):
        self.samples.setdefault(column, []).append(value)

    def fail(self, column, why):
        self.samples.pop(column, None)
        self.problems[column] = why

    def median(self, column):
        return statistics.median(self.samples[column]) if self.samples.get(column) else None

    def ratio(self):
        """Of the drive's median to the reference's."""
        drive, reference = self.median(DRIVE), self.median(REFERENCE)
        return drive / reference if drive is not None and reference else None

    def reached(self):
        """Whether the drive is where it is to be; None: that is not known, or not asked."""
        value = self.ratio() if self.reference else self.median(DRIVE)
        if self.target is None or value is None:
            return None
        return value >= self.target if self.better == AT_LEAST else value <= self.target

    def ahead(self, column):
        """How many times better the drive is than another mounter."""
        drive, other = self.median(DRIVE), self.median(column)
        if not drive or not other:
            return None
        return drive / other if self.better == AT_LEAST else other / drive

    def as_json(self):
        return {"key": self.key, "title": self.title, "unit": self.unit, "rtt_ms": self.rtt_ms, "reference": self.reference,
                "better": "more" if self.better == AT_LEAST else "less", "target": self.target, "ratio": self.ratio(),
                "reached": self.reached(), "samples": self.samples, "problems": self.problems, "processors": self.processors,
                "medians": {column: self.median(column) for column in self.samples}}

    @classmethod
    def from_json(cls, data):
        return cls(data["key"], data["title"], data["unit"], data["reference"], AT_LEAST if data["better"] == "more" else AT_MOST,
                   data["target"], data["rtt_ms"], data["samples"], data["problems"], data["processors"])
