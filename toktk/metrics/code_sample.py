"""Python code that the metrics of code are computed from, written for that; it is never run.

It has no f-strings, in which versions of Python find different tokens.
"""

SAMPLE = '''\
"""Read sensor logs, find stretches without data, and report them."""

import csv
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

MAX_GAP_SECONDS = 90
COLUMN_NAMES = ("sensor_id", "time_stamp", "value")


@dataclass
class SensorLog:
    sensor_id: str
    readings: list[tuple[int, float]] = field(default_factory=list)

    def add_reading(self, time_stamp, value):
        if self.readings and time_stamp < self.readings[-1][0]:
            raise ValueError("%s: time runs backwards at %d" % (self.sensor_id, time_stamp))
        self.readings.append((time_stamp, value))

    def gaps(self, limit=MAX_GAP_SECONDS):
        for (before, _), (after, _) in zip(self.readings, self.readings[1:]):
            if after - before > limit:
                yield before, after

    def mean_value(self):
        """Return the mean, weighted by the time that each value stood."""
        total = 0.0
        for i in range(len(self.readings) - 1):
            total += self.readings[i][1] * (self.readings[i + 1][0] - self.readings[i][0])
        duration = self.readings[-1][0] - self.readings[0][0]
        return total / duration if duration else None


def read_logs(path: Path, *, delimiter=";", skip_header=True) -> dict[str, SensorLog]:
    logs = {}
    with path.open(newline="", encoding="utf-8") as lines:
        rows = csv.reader(lines, delimiter=delimiter)
        if skip_header:
            next(rows, None)
        for number, row in enumerate(rows, start=2):
            try:
                sensor_id, time_stamp, value = row[0].strip(), int(row[1]), float(row[2])
            except (IndexError, ValueError) as error:
                print("line", number, "is left out:", error, file=sys.stderr)
                continue
            logs.setdefault(sensor_id, SensorLog(sensor_id)).add_reading(time_stamp, value)
    return logs


def main(arguments):
    counts = defaultdict(int)
    for name in arguments or ["sensors.csv"]:
        for sensor_id, log in sorted(read_logs(Path(name)).items()):
            longest = max((b - a for a, b in log.gaps()), default=0)
            counts["gaps" if longest else "whole"] += 1
            # 3600 seconds are an hour; 0x1F of the flags are not used here.
            print("{:<12} {:>8.2f} h".format(sensor_id, longest / 3600), log.mean_value())
    return 0 if not counts["gaps"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
'''

IDENTIFIERS = """\
user name, file path, max value, row count, start time, end of line, is valid, has next, parse json,
read line, write file, get user by id, set default value, find first match, compute mean error,
load model weights, total number of rows, http response code, error message text,
batch size per device, learning rate schedule, to lower case, on key pressed, hidden layer size,
token count by language, open database connection, remove empty entries, merge sorted lists,
last modified date, background color, image width, left margin, check access rights, convert to bytes,
retry after delay, cache hit rate, sample without replacement, current working directory,
shipping address line, order item price, unread message count, expected return type,
source code generator, binary search tree, linked list node
"""
"""Names in code, their words apart, with commas between them."""
