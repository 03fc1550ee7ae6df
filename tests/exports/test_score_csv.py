"""Test ``flask score``: header, rows, bytes, exit status; fast and plain scoring agree."""

from __future__ import annotations

import csv
import io
import itertools
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pro.catalogue import read_instruments
from pro.cli.file_tools.score import score
from pro.core.questionnaire import scoring
from pro.exports.score_csv import scored_rows, shortest_decimal

ROOT = Path(__file__).resolve().parents[2]
QLQ = read_instruments(ROOT / "pro/data/instruments")["qlq_c30"]
REFERENCE = (ROOT / "tests/data/qlqc30_reference_200.csv").read_bytes()
ITEMS = list(QLQ.items)
OUTPUTS = [*QLQ.scales, "C30SUMMARY"]
COMPLETE = list("231112112223211212312112212156")


def run(data, *arguments):
    return CliRunner().invoke(score, ["qlq_c30", *arguments], input=data if isinstance(data, bytes) else data.encode())


def table(result):
    return list(csv.DictReader(io.StringIO(result.stdout)))


def form(cells=(), header=ITEMS, **changed):
    """Write a file of one form: the complete example with some answers changed and more cells."""
    answers = dict(zip(ITEMS, COMPLETE, strict=True)) | changed
    return ",".join(header) + "\n" + ",".join([*answers.values(), *cells]) + "\n"


def test_the_reference_forms_come_out_as_the_reference_says():
    result = run(REFERENCE)
    assert result.exit_code == 0
    expected = list(csv.DictReader(io.StringIO(REFERENCE.decode())))
    found = table(result)
    assert list(found[0]) == ["row_id", "design", *OUTPUTS, "error"]
    assert [row["row_id"] for row in found] == [row["row_id"] for row in expected]
    for mine, theirs in zip(found, expected, strict=True):
        for name in OUTPUTS:
            assert (mine[name] == "") == (theirs[name] == "")
            assert not mine[name] or float(mine[name]) == pytest.approx(float(theirs[name]), abs=1e-6)
        assert mine["error"] == ""


def test_a_complete_form_in_shortest_form():
    row = table(run(form()))[0]
    assert [row[name] for name in ("QL", "PF", "RF", "NV", "FA", "error")] == [
        "75",
        "80",
        "83.33333333333333",
        "0",
        "44.44444444444444",
        "",
    ]


@pytest.mark.parametrize(
    "data",
    [
        "\ufeff" + form(),
        form().replace("\n", "\r\n"),
        form().replace("\n", "\r"),
        form().rstrip("\n"),
        form() + "\n\n",
        '"Q1","Q2"' + form()[len("Q1,Q2") :],
        form(header=[f" {item} " for item in ITEMS]),
        form(Q1=" 2 ", Q2="\t3"),
        form(Q1="02", Q2="３"),
    ],
    ids=["BOM", "CRLF", "CR", "no last newline", "empty lines", "quoted", "spaces in header", "spaces", "other digits"],
)
def test_files_as_programs_write_them(data):
    result = run(data)
    assert result.exit_code == 0
    assert table(result) == table(run(form()))


def test_any_order_of_columns():
    order = [*reversed(ITEMS[3:]), "id", *ITEMS[:3]]
    answers = dict(zip(ITEMS, COMPLETE, strict=True)) | {"id": "7"}
    row = table(run(",".join(order) + "\n" + ",".join(answers[name] for name in order)))[0]
    assert row == {"id": "7", **table(run(form()))[0]}


def test_other_columns_pass_in_front_and_outputs_are_replaced():
    header = [*ITEMS, "visit", "PF", "note", "error", "C30SUMMARY", "姓名"]
    data = ",".join(header) + "\n" + ",".join(COMPLETE) + ',1,99,"two\nlines, ""quoted""",old,98,张\n'
    result = run(data)
    row = table(result)[0]
    assert list(row) == ["visit", "note", "姓名", *OUTPUTS, "error"]
    assert (row["visit"], row["note"], row["姓名"]) == ("1", 'two\nlines, "quoted"', "张")
    assert (row["PF"], row["error"]) == ("80", "")


def test_empty_and_blank_are_missing_never_zero():
    row = table(run(form(**dict.fromkeys(ITEMS, " "))))[0]
    assert [row[name] for name in OUTPUTS] == [""] * len(OUTPUTS)
    assert row["error"] == ""
    row = table(run(form(Q8="", Q1="", Q2="")))[0]
    assert (row["DY"], row["PF"], row["C30SUMMARY"], row["SL"]) == ("", "100", "", "33.333333333333336")


NOT_ANSWERS = ["0", "5", "-1", "2.0", "1.5", "x", "1e0", "NA", "TRUE", "1 2", "99999999999", "٢", "²"]


@pytest.mark.parametrize("cell", NOT_ANSWERS)
def test_a_bad_answer_spoils_its_row_only(cell):
    good = form()
    result = run(form(["a"], [*ITEMS, "id"], Q8=cell) + ",".join([*COMPLETE, "b"]) + "\n")
    assert result.exit_code == 1
    bad, fine = table(result)
    assert bad["id"] == "a"
    assert "Q8" in bad["error"]
    assert [bad[name] for name in OUTPUTS] == [""] * len(OUTPUTS)
    assert {name: fine[name] for name in OUTPUTS} == {name: table(run(good))[0][name] for name in OUTPUTS}
    assert "1 of 2 rows" in result.stderr


def test_items_have_their_own_range_and_every_bad_one_is_named():
    assert table(run(form(Q29="7")))[0]["error"] == ""
    error = table(run(form(Q28="7", Q30="8")))[0]["error"]
    assert error == "Q28: “7” is not a whole number from 1 to 4; Q30: “8” is not a whole number from 1 to 7"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b",".join([b"1"] * 30), "has 30"),
        (b",".join([b"1"] * 32), "has 32"),
        (b"1", "has 1"),
        (b",".join([b"1"] * 30) + b",\xc4\xe3", "UTF-8"),
        (b"\xff" + b",".join([b"1"] * 30) + b",a", "Q1"),
        (b'"' + b"x" * 200_000, "not CSV"),
        (b"1\x00," + b",".join([b"1"] * 29) + b",a", "Q1"),
    ],
    ids=["short", "long", "very short", "bytes in another column", "bytes in an answer", "endless quote", "NUL"],
)
def test_a_broken_row_is_a_bad_row(line, says):
    start = form(["a"], [*ITEMS, "id"]).encode()
    result = run(start + line + b"\n" + start.split(b"\n")[1] + b"\n")
    assert result.exit_code == 1
    found = table(result)
    assert says in found[1]["error"]
    assert [found[0]["error"], found[-1]["error"]] == ["", ""] or says == "not CSV"
    assert [found[1][name] for name in OUTPUTS] == [""] * len(OUTPUTS)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "Q1, Q2"),
        (",".join(ITEMS[1:]).encode(), "missing: Q1."),
        (",".join([*ITEMS, "Q7"]).encode(), "“Q7”"),
        (",".join([*ITEMS, "id", "id"]).encode(), "“id”"),
        (",".join([*ITEMS, "", ""]).encode(), "without a name"),
        ((",".join(ITEMS) + ",\u59d3").encode("gbk"), "UTF-8"),
        ((",".join(ITEMS)).encode("utf-16"), "UTF-8"),
        (",".join(item.lower() for item in ITEMS).encode(), "missing: Q1"),
    ],
)
def test_a_header_that_cannot_be_used(data, says):
    result = run(data)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


def test_only_a_header_is_fine():
    result = run(",".join(["id", *ITEMS]))
    assert (result.exit_code, result.stdout) == (0, ",".join(["id", *OUTPUTS, "error"]) + "\n")


def test_file_argument_and_wrong_names(tmp_path):
    (tmp_path / "forms.csv").write_text(form(), encoding="utf-8")
    assert run(b"", str(tmp_path / "forms.csv")).exit_code == 0
    assert run(b"", str(tmp_path / "none.csv")).exit_code == 2
    for name, says in (("npc_checkin", "has no scales"), ("qlq", "is not an instrument")):
        result = CliRunner().invoke(score, [name], input=b"")
        assert result.exit_code == 2
        assert says in result.stderr
        assert "qlq_c30" in result.stderr


def test_it_needs_no_database_and_no_settings():
    """Check the command's own imports, loaded without its siblings, which do need both."""
    code = (
        "import importlib.util as load, sys\n"
        "spec = load.spec_from_file_location('score', 'pro/cli/file_tools/score.py')\n"
        "spec.loader.exec_module(load.module_from_spec(spec))\n"
        "print(sorted({'sqlalchemy', 'flask', 'pro.config', 'pro.db'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={}, timeout=60, capture_output=True, text=True)
    assert (found.stdout, found.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.0, "0"), (75.0, "75"), (250 / 3, "83.33333333333333"), (1e-7, "0.0000001"), (100.0, "100")],
)
def test_shortest(value, text):
    assert shortest_decimal(value) == text
    assert value is None or float(text) == value


cells = st.sampled_from(["", "1", "2", "3", "4", "5", "7", "0", " 2 ", "03", "x"])


@given(st.lists(st.lists(cells, min_size=30, max_size=30), min_size=1, max_size=4))
def test_the_quick_way_equals_the_plain_way(rows):
    """Score each row three times, so that it meets both an empty and a filled cache."""
    lines = [",".join(ITEMS), *(",".join(row) for row in rows * 3)]
    found = list(itertools.islice(scored_rows(QLQ, lines), 1, None))
    for row, scored in zip(rows * 3, found, strict=True):
        answers = {}
        for item, cell in zip(QLQ.items.values(), row, strict=True):
            if cell.strip():
                answers[item.id] = int(cell) if cell.strip().isdigit() else cell
        try:
            expected = [shortest_decimal(one.value) for one in scoring.score(QLQ, answers).values()]
        except ValueError:
            assert scored.bad
            assert scored.cells[-1]
            assert set(scored.cells[:-1]) == {""}
        else:
            assert scored.cells == [*expected, ""]


def test_memory_does_not_grow_with_the_rows():
    """Check that rows are dropped one by one, and that unusual cells do not fill the cache."""

    def lines(number):
        yield ",".join(ITEMS)
        for row in range(number):
            yield ",".join([" " * (row % 997) + "1", *COMPLETE[1:28], "", str(row % 7 + 1)])

    def peak(number):
        tracemalloc.start()
        for _ in scored_rows(QLQ, lines(number)):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(12_000) < peak(3_000) + 100_000
