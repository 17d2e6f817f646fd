"""Adds up the JUnit reports of a folder and prints one closing line: `total: N passed, N failed, N skipped`.

Usage: summarise.py FOLDER. Exit 1 if a test failed, if none ran, or if a report cannot be read.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def count(report: Path) -> tuple[int, int, int]:
    """(passed, failed, skipped) of one report, counted by test case because the totals of writers differ."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main(folder: Path) -> int:
    totals = [0, 0, 0]
    for report in sorted(folder.glob("*.xml")):
        counts = count(report)
        print(f"{report.stem}: {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped", flush=True)
        totals = [total + part for total, part in zip(totals, counts)]
    print(f"total: {totals[0]} passed, {totals[1]} failed, {totals[2]} skipped", flush=True)
    return 1 if totals[1] or not totals[0] else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
