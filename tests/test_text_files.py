import pytest

from mkbench.text_files import is_utf8, parse_json, parse_yaml, printable, split_lines


def test_lines_end_at_newlines_alone():
    text = "a\fb\x0bc\x1cd\x85e\u2028f\u2029g\r\nh\ri\n\nj"
    assert split_lines(text) == ["a\fb\x0bc\x1cd\x85e\u2028f\u2029g", "h", "i", "", "j"]


@pytest.mark.parametrize(("text", "lines"), [("", []), ("\n", [""]), ("a", ["a"]), ("a\n", ["a"]), ("a\r\n", ["a"])])
def test_a_last_newline_begins_no_line(text, lines):
    assert split_lines(text) == lines


@pytest.mark.parametrize("text", ['{"a": 1, "b": 2, "a": 3}', '[{"x": {"a": [], "a": []}}]'])
def test_repeated_keys_are_refused_at_any_depth(text):
    with pytest.raises(ValueError, match="'a' is a key twice"):
        parse_json(text)


def test_the_same_key_in_two_objects_is_fine():
    assert parse_json('[{"a": 1}, {"a": 2}]') == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("depth", [102, 5_000, 1_000_000])
def test_deep_nesting_is_refused_in_a_sentence(depth):
    with pytest.raises(ValueError, match="more than 100 brackets"):
        parse_json("[" * depth + "]" * depth)


def test_a_hundred_brackets_are_not_too_many():
    content = parse_json("[" * 100 + "1" + "]" * 100)
    for _ in range(100):
        (content,) = content
    assert content == 1


@pytest.mark.parametrize("parse", [parse_json, parse_yaml])
@pytest.mark.parametrize("text", ['["a", "\\ud800"]', '{"\\udfff": 1}'])
def test_half_a_character_is_refused(parse, text):
    with pytest.raises(ValueError, match="half of a pair of surrogates"):
        parse(text)


def test_escaped_characters_are_read():
    assert parse_json('["caf\\u00e9", "\\ud83d\\ude00"]') == ["café", "😀"]


def test_names_that_are_not_utf8():
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    assert not is_utf8(name)
    assert printable(name).encode() == b"caf\\udce9.png"
