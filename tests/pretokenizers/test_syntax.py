import pytest
import regex

from toktk.errors import PatternError
from toktk.pretokenizers.syntax import (
    END_OF_TEXT,
    Ahead,
    Alternation,
    CharacterSet,
    LookAhead,
    Repeat,
    Sequence,
    character_sets,
    parse,
    portable,
)

A, B = CharacterSet("a"), CharacterSet("b")


@pytest.mark.parametrize(
    ("pattern", "tree"),
    [
        ("", Sequence(())),
        ("a", A),
        ("ab", Sequence((A, B))),
        ("a|b|", Alternation((A, B, Sequence(())))),
        ("(?:a)", A),
        ("(a)b", Sequence((A, B))),
        ("a(?:b|a)", Sequence((A, Alternation((B, A))))),
        ("a?", Repeat(A, 0, 1, True)),
        ("a*", Repeat(A, 0, None, True)),
        ("a+?", Repeat(A, 1, None, False)),
        ("a++", Repeat(A, 1, None, True)),
        ("a{3}", Repeat(A, 3, 3, True)),
        ("a{2,}", Repeat(A, 2, None, True)),
        ("a{1,3}+", Repeat(A, 1, 3, True)),
        ("(?:ab){0,2}?", Repeat(Sequence((A, B)), 0, 2, False)),
        (r"[^\r\n\p{L}]", CharacterSet(r"[^\r\n\p{L}]")),
        (r"[a-z\]\[-]", CharacterSet(r"[a-z\]\[-]")),
        (r"\pL", CharacterSet(r"\p{L}")),
        (r"\PN", CharacterSet(r"\P{N}")),
        (r"[\pL\x41]", CharacterSet(r"[\p{L}\u0041]")),
        (r"\x20", CharacterSet(r"\u0020")),
        (r"\u4e00", CharacterSet(r"\u4e00")),
        (r"\U0001F600", CharacterSet("\U0001f600")),
        (".", CharacterSet(".")),
        ("(?s:.)", CharacterSet(r"[\s\S]")),
        ("(?s).", CharacterSet(r"[\s\S]")),
        ("(?s:(?-s:.))", CharacterSet(".")),
        ("(?i:a)b", Sequence((CharacterSet("(?i:a)"), B))),
        ("(?i)a", CharacterSet("(?i:a)")),
        ("(?is:a)", CharacterSet("(?i:a)")),
        ("(?i:(?-i:a))", A),
        (r"\.", CharacterSet(r"\.")),
        ("]}", Sequence((CharacterSet(r"\]"), CharacterSet(r"\}")))),
        (r"(?!\S)", LookAhead((CharacterSet(r"\S"),), False, True)),
        ("(?=a|b|$)", LookAhead((A, B), True, False)),
        ("$", END_OF_TEXT),
        (r"a\z", Sequence((A, END_OF_TEXT))),
        ("a(?=ab)", Sequence((A, Ahead(Sequence((A, B)))))),
        ("(?:a|b(?=a{0,3}))", Alternation((A, Sequence((B, Ahead(Repeat(A, 0, 3, True))))))),
    ],
)
def test_parse(pattern, tree):
    assert parse(pattern) == tree


@pytest.mark.parametrize(
    ("pattern", "construct", "position"),
    [
        ("ab)", "unbalanced", 2),
        ("a(b", "without its ')'", 1),
        ("a[bc", "without its ']'", 1),
        ("[]a]", "first character of a class", 1),
        ("[a[b]]", "'[' inside a class", 2),
        ("[a&&b]", "'&&' inside a class", 2),
        ("[[:alpha:]]", "'[' inside a class", 1),
        ("^a", "anchor", 0),
        (r"a\b", r"'\b'", 1),
        (r"\1", r"'\1'", 0),
        (r"\X", r"'\X'", 0),
        (r"[\b]", r"'\b'", 1),
        ("a\\", "escape", 1),
        (r"\x4", "hexadecimal", 0),
        (r"\x{41}", "hexadecimal", 0),
        (r"\U00110000", "last code point", 0),
        (r"\p", "property", 0),
        (r"\p{}", "property", 0),
        (r"\p{L", "property", 0),
        ("*a", "nothing to repeat", 0),
        ("(?:+)", "nothing to repeat", 3),
        ("a**", "quantifier on a quantifier", 2),
        ("a{2}{3}", "quantifier on a quantifier", 4),
        ("a+*", "quantifier on a quantifier", 2),
        ("a{,2}", "begins no", 1),
        ("a{x}", "begins no", 1),
        ("a{2", "begins no", 1),
        ("a{99999}", "begins no", 1),
        ("a{3,2}", "wrong order", 1),
        ("$*", "quantifier on an assertion", 0),
        ("(?=a)+", "quantifier on an assertion", 0),
        ("(?!ab)", "negative look-ahead", 0),
        ("a(?=bc*)", "any number of characters", 1),
        ("a(?=bc)d", "with more behind it", 0),
        ("(?:a(?=bc))+", "with more behind it", 0),
        ("a(?=b(?=cd))", "with more behind it", 0),
        ("(?=ab)*", "quantifier on an assertion", 0),
        ("(?!a*)", "negative look-ahead", 0),
        ("(?<=a)b", "'(?<=...'", 0),
        ("(?<n>a)", "'(?<n...'", 0),
        ("(?P<n>a)", "'(?P<...'", 0),
        ("(?>a)", "'(?>a...'", 0),
        ("(?m:a)", "'(?m:...'", 0),
        ("a(?i)b", "'(?i)...'", 1),
        ("(?V1)a", "'(?V1...'", 0),
        ("(?:" * 200 + "a" + ")" * 200, "nested", 300),
    ],
)
def test_refusal_names_construct_and_position(pattern, construct, position):
    with pytest.raises(PatternError) as caught:
        parse(pattern)
    first_line = str(caught.value).splitlines()[0]
    assert construct in first_line
    assert first_line.endswith(f"at position {position}.")


def test_character_sets_are_read_by_regex():
    tree = parse(r"(?i:'s)| ?[^\s\p{L}]+(?=[0-9]|$)|(?s:.)*")
    assert [item.text for item in character_sets(tree)] == [
        "(?i:')",
        "(?i:s)",
        " ",
        r"[^\s\p{L}]",
        "[0-9]",
        r"[\s\S]",
    ]
    for item in character_sets(tree):
        regex.compile(item.text)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"(?i:'s|'t)|\p{L}+|\s+(?!\S)|\s+", r"(?i:'s|'t)|\p{L}+|\s+(?!\S)|\s+"),
        (r"\p{N}{1,3}+", r"\p{N}{1,3}"),
        (r"(?:ab|a)++b", r"(?:ab|a)+b"),
        (r"a(b|a)$", r"a(?:b|a)\z"),
        (r"(?s:.+)", r"[\s\S]+"),
        (r"(?s)(?:a?.){2,}b*?", r"(?:a?[\s\S]){2,}b*?"),
        (r"\x41\pL{2}?", r"\u0041\p{L}{2}"),
        (r"(?:a{2}){3}+(?=b|$)", r"(?:a{2}){3}(?=b|\z)"),
        (r"\.++(?!a)", r"\.+(?!a)"),
        (r"a++(?=(b)c|d$)|e", r"a+(?=bc|d\z)|e"),
    ],
)
def test_portable(pattern, expected):
    assert portable(pattern) == expected
    assert portable(expected) == expected


def test_portable_refuses_what_parse_refuses():
    with pytest.raises(PatternError):
        portable("^a")
