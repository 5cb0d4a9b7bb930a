"""docs/privacy: both languages say the same, and of the configuration what is true."""

import re
from pathlib import Path

import pytest

from nasacct.config.tables import Config

DOCS = Path(__file__).parents[2] / "docs"


def shape(text):
    """What kind each line is of: headings by their depth, rows by how many columns, items, commands, paragraphs."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        for line in block.splitlines():
            if line.startswith("#"):
                found.append(line.split()[0])
            elif line.startswith("|"):
                found.append(f"row of {line.count('|')}")
            elif line.startswith("- "):
                found.append("item")
            elif line.startswith("    "):
                found.append(line.strip())
            elif not line.startswith(" ") and (not found or found[-1] != "text"):
                found.append("text")
    return found


def technical(text):
    """What stands in backquotes, by table row, item or paragraph, in any order: languages order words differently."""
    joined = re.sub(r"\n(?![-#|\n]|    )\s*", " ", text)
    return [sorted(set(re.findall(r"`([^`]+)`", line))) for line in joined.splitlines() if line.strip()]


def numbers(text):
    """The numbers of each such line."""
    joined = re.sub(r"\n(?![-#|\n]|    )\s*", " ", text)
    return [sorted(re.findall(r"\d+", line)) for line in joined.splitlines() if line.strip()]


@pytest.mark.parametrize("what", [shape, technical, numbers])
def test_both_languages_say_the_same(what):
    """The same sections, tables, items and commands; the same files, keys and numbers in each of them."""
    one, other = (what((DOCS / f"privacy.{language}.md").read_text()) for language in ("en", "cs"))
    assert len(one) > 20
    assert [x if isinstance(x, str) else [w.replace("privacy.en", "privacy.cs") for w in x] for x in one] == other


@pytest.mark.parametrize("language", ["en", "cs"])
def test_what_is_said_of_the_configuration_is_its_default(language):
    """How long what is kept."""
    text, config = (DOCS / f"privacy.{language}.md").read_text(), Config()
    for name in ("members_days", "addresses_days"):
        assert f"`privacy.{name}` ({getattr(config.privacy, name)})" in text
    assert f"`store.usage_days_of` ({config.store.usage_days_of['clients']} " in text
    assert f"{config.store.readings_days_most} d" in text
    assert config.store.journal_minutes == 15
