"""Names that somebody may choose who means to harm SQL, a page, a spreadsheet or a terminal."""

import unicodedata

NAMES = [
    "'; DROP TABLE nfsd; --",
    "\"; SELECT * FROM read_csv('/etc/passwd') --",
    "$server {0} {rows} %s %(x)s",
    "<script>alert(1)</script>&amp;",
    "=HYPERLINK(A1)",
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "a \"b\", 'c'; d\ne",
    "[bold red]x[/bold red] [/]",
    "\x1b[2J\x1b[31mred",
    "\x9b2J\x07\x00",
    "\u202egnp.exe",
    "\u2066a\u2069\u200bb\ufeff",
    "žluťoučký 日本 🐎",
    "../../etc/passwd",
    "a, b",
    "null",
]


def invisible(text):
    """The characters that a terminal acts upon or does not show, but for line ends."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c != "\n"}
