"""Test the reading of CSV records: open quotation marks, separators, encodings, long lines."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.exports.csv_records import OPEN_QUOTE, BadRecord, RecordReader
from tests.exports.test_score_csv import COMPLETE, ITEMS, OUTPUTS, form, run, table

HEADER = ",".join(["id", *ITEMS, "note"]) + "\n"


def patient(name: str, note: str) -> str:
    return ",".join([name, *COMPLETE, note]) + "\n"


@pytest.mark.parametrize(
    "note",
    ['"has pain', '"has pain”', "\"he said “it's fine”", '"', '"two\nlines', '"a ""b', '"a"" '],
    ids=["open", "curly", "curly inside", "bare", "two lines", "doubled", "doubled at the end"],
)
@pytest.mark.parametrize("next_note", ["", "fine", '"fine"', '"a, b"', '"a ""b"" c"'])
def test_an_open_quotation_mark_swallows_no_other_patient(note: str, next_note: str) -> None:
    data = HEADER + patient("A", "ok") + patient("B", note) + patient("C", next_note) + patient("D", "ok")
    result = run(data)
    found = {row["id"]: row for row in table(result)}
    assert result.exit_code == 1
    assert OPEN_QUOTE in found["B"]["error"]
    assert [found["B"][name] for name in OUTPUTS] == [""] * len(OUTPUTS)
    for name in ("A", "C", "D"):
        assert found[name]["error"] == ""
        assert found[name]["PF"] == "80"


def test_an_open_quotation_mark_in_the_last_row_is_named() -> None:
    result = run(HEADER + patient("A", "ok") + patient("B", '"open'))
    assert result.exit_code == 1
    assert [row["id"] for row in table(result)] == ["A", "B"]


def test_a_quotation_mark_within_a_cell_is_a_letter() -> None:
    result = run(HEADER + patient("A", 'a 5" tube') + patient("B", '"two\nlines, ""quoted"""'))
    assert result.exit_code == 0
    assert [row["note"] for row in table(result)] == ['a 5" tube', 'two\nlines, "quoted"']


def test_curly_quotation_marks_quote_nothing() -> None:
    result = run(HEADER + patient("A", "“a, b”") + patient("B", "“fine”"))
    first, second = table(result)
    assert "the header has 32 columns, this row has 33" in first["error"]
    assert (second["note"], second["error"]) == ("“fine”", "")
    result = run(HEADER.replace("Q1,", "“Q1”,"))
    assert result.exit_code == 2
    assert "straight quotation marks" in result.stderr


cells = st.text(st.sampled_from('ab",\n ”1'), max_size=6)


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=5))
def test_what_a_program_wrote_is_read_as_it_was(rows: list[tuple[str, str, str]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    lines = iter(out.getvalue().splitlines(keepends=True))
    found = list(RecordReader(lines, ",", 0).records())
    assert found == [list(row) for row in rows]


@pytest.mark.parametrize(
    ("separator", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "“|”"), ("，", "full-width")]
)
def test_the_separator_is_guessed_and_said(separator: str, name: str) -> None:
    result = run(form().replace(",", separator))
    assert result.exit_code == 0
    assert name in result.stderr
    assert table(result) == table(run(form()))


def test_replaced_columns_are_named() -> None:
    result = run(form(["9", "old"], [*ITEMS, "PF", "error"]))
    assert (result.exit_code, table(result)[0]["PF"]) == (0, "80")
    assert "replaced by computed ones: PF, error." in result.stderr
    assert run(form()).stderr == ""


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "big5", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_a_file_in_another_encoding_never_passes(encoding: str) -> None:
    words = {"cp1252": "Müller é", "big5": "王秀蘭"}.get(encoding, "王秀兰")
    result = run((HEADER + patient("A", "ok") + patient(words, words)).encode(encoding))
    assert result.exit_code in (1, 2)
    assert "UTF-8" in result.stderr + result.stdout


@pytest.mark.parametrize("word", ["谩", "茅眉", "脗脙", "聯"])
def test_chinese_bytes_that_happen_to_be_utf8_do_not_pass(word: str) -> None:
    data = (HEADER + patient("A", "ok") + patient("B", word)).encode("gb18030")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        pytest.fail("the example must be valid UTF-8")
    result = run(data)
    assert result.exit_code == 1
    assert word in table(result)[1]["error"]
    assert "UTF-8" in table(result)[1]["error"]


@pytest.mark.parametrize("note", ["José Müller", "naïve", "38.5 °C", "±2 µg", "5 ± 2", "王秀兰 é", "“quoted”"])
def test_words_in_utf8_pass_unchanged(note: str) -> None:
    result = run(HEADER + patient("A", note))
    assert (result.exit_code, table(result)[0]["note"]) == (0, note)


def test_a_byte_order_mark_settles_the_encoding() -> None:
    result = run("\ufeff" + HEADER + patient("A", "Привет"))
    assert (result.exit_code, table(result)[0]["note"]) == (0, "Привет")


@pytest.mark.parametrize(("note", "says"), [("a\0b", "NUL"), ("a\ufffdb", "were lost")])
def test_words_that_were_lost_before_do_not_pass(note: str, says: str) -> None:
    result = run(HEADER + patient("A", note))
    assert result.exit_code == 1
    assert says in table(result)[0]["error"]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b"\r"])
def test_an_empty_file_is_named(data: bytes) -> None:
    result = run(data)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "The first line is empty" in result.stderr


def test_a_line_without_end_is_one_bad_row() -> None:
    result = run(HEADER + patient("A", "x" * 3_000_000) + patient("B", "ok"))
    assert result.exit_code == 1
    bad, fine = table(result)
    assert bad["error"] != ""
    assert (fine["id"], fine["error"]) == ("B", "")


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_line_ends_of_every_program(end: str) -> None:
    result = run((HEADER + patient("A", '"two\nlines"') + patient("B", "ok")).replace("\n", end))
    assert result.exit_code == 0
    assert [row["id"] for row in table(result)] == ["A", "B"]


def test_a_bad_record_says_why_and_where() -> None:
    [found] = RecordReader(iter(['"a"b,c\n']), ",", 2).records()
    assert isinstance(found, BadRecord)
    assert "line 2: this is not CSV" in found.why


def test_a_row_that_is_not_csv_can_be_found_in_the_output() -> None:
    """Found: neither its line nor any of its cells was in the output, so that nobody knew whose row it was."""
    broken = patient("B", "ok").replace("B,", '"B" x,', 1)
    result = run(HEADER + patient("A", '"two\nlines"') + broken + patient("C", "ok") + patient("D", '"open'))
    assert result.exit_code == 1
    a, b, c, d = table(result)
    assert (a["id"], a["error"], c["id"], c["error"], d["id"]) == ("A", "", "C", "", "D")
    assert b["id"].startswith("B")
    assert b["error"].startswith("line 4: this is not CSV")
    assert d["error"].startswith("line 6: ")
