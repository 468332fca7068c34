"""Files that are nearly what they should be: bytes flipped, cells replaced, columns swapped, lines lost, ends cut."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from etl.claims import Refused

Told = TypeVar("Told")

ODD_CELLS = (
    *("", " ", "0", "-0", "1", "-1", "-100", "+5", "007", "1.5", "100.0", "0.5", "1e3", "1E400", "1_000", "1,000"),
    *(
        "1.000",
        "1 000",
        "1\u202f000",
        "'100",
        "=1+1",
        "１００",
        "٣",
        "²",
        "½",
        "∞",
        "NaN",
        "nan",
        "inf",
        "-inf",
        "None",
    ),
    *(
        "100000001",
        "999999999",
        "2147483648",
        "9223372036854775808",
        "1" * 40,
        "9" * 5000,
        "0x10",
        "1/2",
        "12%",
        "100 ",
    ),
    *("true", "all", "ALL", "other", "Other", "null", "2026-13", "2026-02-30", "20260102", "0001-01-01", "9999-12-31"),
    *("a,b", 'a"b', "a\nb", "a\r\nb", "\u2028", "\x00", "\x1b[31m", "\ufeff", "Š", "İ", "é", "\ud7ff", "😀", "+" * 60),
)
"""What people, spreadsheets and other programs write into cells."""

odd_cells = st.sampled_from(ODD_CELLS) | st.text(max_size=12) | st.integers().map(str) | st.floats().map(repr)


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """A file with one to four accidents to its bytes."""
    content = good
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        to = min(len(content), at + draw(st.integers(0, 40)))
        content = draw(
            st.sampled_from(
                (
                    content[:at],  # cut off
                    content[:at] + content[to:],
                    content[:to] + content[at:],  # a piece twice
                    content[:at] + draw(st.binary(max_size=8)) + content[to:],
                    content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :],
                    content[:at] + draw(odd_cells).encode("utf-8", "surrogatepass") + content[at:],
                    b"\xef\xbb\xbf" + content,
                    content.replace(b"\n", b"\r\n"),
                    content.replace(b"\n", b"\r"),
                    content + content,
                )
            )
        )
    return content


@st.composite
def edited(draw: st.DrawFn, good: bytes) -> bytes:
    """A CSV file with one to four accidents to its cells, rows and columns."""
    table = list(csv.reader(io.StringIO(good.decode(), newline="")))
    for _ in range(draw(st.integers(1, 4))):
        row = draw(st.integers(0, len(table) - 1))
        column = draw(st.integers(0, max(0, len(table[row]) - 1)))
        match draw(st.sampled_from(("cell", "cell", "cell", "cell", "twice", "gone", "swapped", "less", "more"))):
            case "cell" if table[row]:
                table[row][column] = draw(odd_cells)
            case "twice":
                table.insert(draw(st.integers(0, len(table))), list(table[row]))
            case "gone" if len(table) > 1:
                del table[row]
            case "swapped":
                for each in table:
                    if len(each) > column:
                        each[0], each[column] = each[column], each[0]
            case "less" if table[row]:
                for each in draw(st.sampled_from((table, [table[row]]))):
                    del each[column : column + 1]
            case "more":
                for each in draw(st.sampled_from((table, [table[row]]))):
                    each.insert(column, draw(odd_cells))
    text = io.StringIO()
    csv.writer(text, lineterminator=draw(st.sampled_from(("\n", "\n", "\r\n")))).writerows(table)
    return text.getvalue().encode("utf-8", "surrogatepass")


def rubbish() -> st.SearchStrategy[bytes]:
    """Bytes of any kind, and text of any kind."""
    return st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | st.sampled_from(ODD_CELLS).map(str.encode)


def or_refused(read: Callable[[], Told], *, file: str) -> Told | None:
    """What is read of a file, or None where it is refused: in one line, which begins with the file, with a remedy."""
    try:
        return read()
    except Refused as error:
        refused = error
    assert str(refused).startswith(file)
    assert str(refused).isprintable()
    assert refused.problem
    assert refused.remedy
    return None
