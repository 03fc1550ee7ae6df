"""Fill in an empty wording table for the trial, from standard input to standard output.

Each text is the name of its row, so that the table holds no licensed wording.
"""

from __future__ import annotations

import csv
import sys

FIELDS = {
    ("licence", "holder"): "Example Hospital",
    ("licence", "reference"): "EXAMPLE-1",
    ("licence", "study"): "example study",
    ("licence", "label"): "example licence",
    ("licence", "expires"): "2099-12-31",
    ("form", "version"): "1",
    ("form", "title"): "Example",
    ("form", "minutes"): "10",
}


def main() -> None:
    """Copy the table and fill in every empty text."""
    table = csv.DictReader(sys.stdin)
    out = csv.DictWriter(sys.stdout, table.fieldnames or [], lineterminator="\n")
    out.writeheader()
    for row in table:
        name = f"{row['item']} {row['code']}".strip()
        row["text"] = row["text"] or FIELDS.get((row["item"], row["code"]), name)
        if row["item"] not in ("licence", "form", "recall_period") and not row["code"]:
            row["short"] = row["short"] or name
        out.writerow(row)


if __name__ == "__main__":
    main()
