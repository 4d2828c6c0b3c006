"""A large JSON file read value by value says what it says when it is read whole."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mseg_wizard.labels.readers import json_stream
from mseg_wizard.labels.readers.json_stream import START, Position, values_in

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def rows(table: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(key, one) for key, value in table.items() for one in (value if isinstance(value, list) else [value])]


def read(text: str, position: Position = START) -> list[tuple[str, Any, Position]]:
    """Value by value, with the position behind what it came with."""
    found = values_in(io.BytesIO(text.encode()), position)
    return [(key, one, at) for key, values, at in found for one in json.loads(b"[" + values + b"]")]


@given(
    st.dictionaries(st.text(max_size=5), VALUES, max_size=5),
    st.integers(1, 40),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_it_says_the_same_as_a_reading_of_the_whole_however_the_pieces_fall(
    table: dict[str, Any], piece: int, indent: int | None, ascii_: bool
) -> None:
    text = json.dumps(table, indent=indent, ensure_ascii=ascii_)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "PIECE", piece)
        found = read(text)
        assert [(key, one) for key, one, _ in found] == rows(table)
        for number, (_, _, position) in enumerate(found):
            if position not in (behind for _, _, behind in found[number + 1 :]):
                rest = [(key, one) for key, one, _ in read(text, position)]
                assert rest == rows(table)[number + 1 :], "it goes on where it was left"


@pytest.mark.parametrize("behind", [{}, {"x": [{"a": 1}, {"b": 2}] * 50}, {"annotations": [{"c": "},"}]}])
def test_many_values_come_at_once_and_what_is_behind_the_list_does_not_hinder(behind: dict[str, Any]) -> None:
    table = {"images": [{"n": n, "name": "a}, {]b"} for n in range(50)], **behind}
    found = list(values_in(io.BytesIO(json.dumps(table).encode())))
    assert len(found) < sum(map(len, table.values())) or not behind
    assert [(key, one) for key, values, _ in found for one in json.loads(b"[" + values + b"]")] == rows(table)


@given(st.dictionaries(st.text(max_size=5), VALUES, min_size=1, max_size=3), st.data())
def test_a_file_that_ends_too_early_is_refused(table: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(table)
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(ValueError):
        read(text[:cut])


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "3",
        '{"a": [,{"b": 1},{"b": 2}]}',
        '{"a": 1} 2',
        '{"a" 1}',
        "{1: 2}",
        '{"a": [1 2]}',
        '{"a": [1,]}',
        "{,}",
        '{"a": 1 "b": 2}',
    ],
)
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read(text)


def test_a_value_without_an_end_is_not_read_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "PIECE", 10)
    monkeypatch.setattr(json_stream, "LARGEST", 1000)
    file = io.BytesIO(b'{"a": "' + b"x" * 100_000)
    with pytest.raises(ValueError, match="more than 1,000 bytes"):
        list(values_in(file))
    assert file.tell() < 5000
