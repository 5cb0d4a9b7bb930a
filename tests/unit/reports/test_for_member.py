"""What a member may be sent about an episode: only their own, nothing surer than it is, the same in both languages."""

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hostile import NAMES, invisible
from hypothesis import given
from hypothesis import strategies as st

from nasacct.reports.attribution.how import HOW
from nasacct.reports.for_member import ForMember, written
from nasacct.reports.for_member_phrases import PHRASES

PRAGUE = ZoneInfo("Europe/Prague")
AT = datetime(2026, 11, 27, 13, 5, 10, tzinfo=UTC)
SOME = ForMember(AT, AT + timedelta(minutes=14), PRAGUE, ("123",))
LANGUAGES = sorted(PHRASES)
#: Whoever is not the member, however many, and words for who is guilty.
OTHERS = re.compile(
    r"\b(others?|another|neighbou?rs?|members?|users?|customers?|everybody|nobody|somebody|who|servers?|culprits?|guilt\w*"
    r"|blam\w*|fault\w*|accus\w*|caus\w*|soused\w*|ostatní\w*|jin(ý|á|í|ých|ému|ém|ými|ého)|člen\w*|uživatel\w*|zákazní\w*"
    r"|někdo|nikdo|kdo|server\w*|vin[aouyě]|viník\w*|zavin\w*|způsob\w*)\b",
    re.IGNORECASE,
)
SHARES, RATES = st.none() | st.floats(0, 1), st.none() | st.floats(0, 1e7)
FACTS = st.builds(
    ForMember,
    begin=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001
    end=st.just(datetime(2036, 1, 1, tzinfo=UTC)),
    zone=st.sampled_from([PRAGUE, ZoneInfo("UTC"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/Sao_Paulo")]),
    exports=st.lists(st.sampled_from(["0", "123", "photos", *NAMES]), max_size=12).map(tuple),
    share=SHARES,
    share_lo=SHARES,
    share_hi=SHARES,
    how=st.none() | st.sampled_from(HOW),
    confidence=SHARES,
    calls_s_before=RATES,
    calls_s=RATES,
    response_us_before=RATES,
    response_us=RATES,
    little_history=st.booleans(),
).flatmap(
    lambda told: st.timedeltas(timedelta(0), timedelta(days=3)).map(
        lambda long: dataclasses.replace(told, end=told.begin + long)
    )
)


def by_sentence(text):
    """The text with a line for each sentence."""
    return re.sub(r"(?<=[.]) (?=[A-ZŠ])", "\n", text)


def numbers(text):
    return re.findall(r"\d+(?:[.,]\d+)?", text)


@pytest.mark.parametrize("language", LANGUAGES)
@given(told=FACTS)
def test_it_tells_of_nobody_else_and_accuses_nobody(language, told):
    """Neither by a word nor by a number: each of those is one that was told of the member, or of the time."""
    text = written(told, language)
    own = written(dataclasses.replace(told, exports=()), language)
    assert not OTHERS.search(own)
    phrases = PHRASES[language]
    known = numbers(phrases.when(told.begin, told.end, told.zone))
    for share in (told.share, told.share_lo, told.share_hi):
        known += [] if share is None else [f"{100 * share:.0f}"]
    for rate, unit in ((told.calls_s, 1), (told.calls_s_before, 1), (told.response_us, 1000)):
        known += [] if rate is None else numbers(phrases.number(rate / unit))
    known += [] if told.response_us_before is None else numbers(phrases.number(told.response_us_before / 1000))
    known += ["1"] if phrases.less_than in own else []  # less than 1 %
    known += numbers(phrases.estimate)
    assert set(numbers(own)) <= set(known)
    assert not invisible(text)
    # what others named begins no line of its own
    assert text.count("\n") == written(dataclasses.replace(told, exports=("1",)), language).count("\n")


def test_it_can_be_told_of_nobody_else():
    """There is no argument that could hold another member, a server, or how many there are of either."""
    assert {field.name for field in dataclasses.fields(ForMember)} == {
        *("begin", "end", "zone", "exports", "share", "share_lo", "share_hi", "how", "confidence", "calls_s_before"),
        *("calls_s", "response_us_before", "response_us", "little_history"),
    }


@given(told=FACTS)
def test_nothing_is_surer_than_it_is(told):
    """Below 0.8 it says that it is not certain, below 0.5 it does not say that it was theirs."""
    told = dataclasses.replace(told, exports=())
    sure = (told.confidence or 0) >= 0.8
    probable = not sure and (told.confidence or 0) >= 0.5
    for language in LANGUAGES:
        text, phrases = written(told, language), PHRASES[language]
        said = [p.format(exports=phrases.your_exports) in text for p in (phrases.contributed, phrases.perhaps)]
        assert [*said, phrases.not_certain in text] == [sure, probable, probable]
        assert phrases.estimate in text
        assert (phrases.little_history in text) == told.little_history


@given(told=FACTS)
def test_there_is_one_piece_of_advice(told):
    """For who is told that it was theirs by how it was, else that nothing need be changed."""
    for language in LANGUAGES:
        text, phrases = written(told, language), PHRASES[language]
        given_ = [each for each in (*phrases.advice.values(), phrases.nothing_to_do) if each in text]
        named = (told.confidence or 0) >= 0.5
        assert given_ == [phrases.advice[told.how] if named else phrases.nothing_to_do]


@given(told=FACTS)
def test_both_languages_say_the_same(told):
    """As many paragraphs and sentences about the same, with the same numbers."""
    told = dataclasses.replace(told, exports=())
    english, czech = (written(told, language) for language in ("en", "cs"))
    assert english.count("\n\n") == czech.count("\n\n")

    def rest(language, text):
        """The numbers of all paragraphs but the one that says when."""
        return sorted(n.replace(",", ".") for n in numbers(text.split("\n\n", 2)[2]))

    assert rest("en", english) == rest("cs", czech)


def test_every_language_has_every_phrase():
    """Of each kind of request, and with the same things to say in each."""
    for phrases in PHRASES.values():
        assert set(phrases.how) == set(phrases.advice) == {*HOW, None}
    fields = [field.name for field in dataclasses.fields(PHRASES["en"])]
    for name in fields:
        texts = [getattr(phrases, name) for phrases in PHRASES.values()]
        if isinstance(texts[0], str) and name != "one_day":
            assert len({tuple(sorted(re.findall(r"{\w+}", text))) for text in texts}) == 1, name


@pytest.mark.parametrize(
    ("begin", "end", "english", "czech"),
    [
        (
            "2026-11-27T13:05:10+00:00",
            "2026-11-27T13:20:00+00:00",
            "On 27 November 2026 from 14:05 to 14:20 (CET)",
            "dne 27. 11. 2026 od 14:05 do 14:20 (CET)",
        ),
        (
            "2026-11-27T13:05:10+00:00",
            "2026-11-27T13:05:20+00:00",
            "On 27 November 2026 from 14:05 to 14:06 (CET)",
            "dne 27. 11. 2026 od 14:05 do 14:06 (CET)",
        ),
        (
            "2026-07-31T21:59:59+00:00",
            "2026-07-31T22:10:01+00:00",
            "From 31 July 2026, 23:59, to 1 August 2026, 00:11 (CEST),",
            "od 31. 7. 2026 23:59 do 1. 8. 2026 00:11 (CEST)",
        ),
        (
            "2026-10-25T00:50:00+00:00",
            "2026-10-25T01:10:00+00:00",
            "On 25 October 2026 from 02:50 CEST to 02:10 CET",
            "dne 25. 10. 2026 od 02:50 CEST do 02:10 CET",
        ),
    ],
)
def test_when_it_was_is_told_as_people_there_do(begin, end, english, czech):
    """Whole minutes around it, the zone's name, and both where the clock was moved meanwhile."""
    told = dataclasses.replace(SOME, begin=datetime.fromisoformat(begin), end=datetime.fromisoformat(end))
    assert written(told, "en").split("\n\n")[1].startswith(f"{english} the disks of the NAS")
    assert written(told, "cs").split("\n\n")[1].startswith(f"{czech} disky NASu")


def test_a_culprits_text():
    """In both languages, whole."""
    told = dataclasses.replace(
        SOME, exports=("123", "124"), share=0.453, share_lo=0.38, share_hi=0.521, how="random_read", confidence=0.93
    )
    assert (
        by_sentence(written(told, "en"))
        == """Hello,

On 27 November 2026 from 14:05 to 14:20 (CET) the disks of the NAS did not keep up with what they were asked for.

As far as our measurements tell, requests to your exports 123 and 124 contributed to that considerably.
They took 45 % of the time for which the disks worked (nine times in ten it is between 38 and 52 %).
They were mostly reads of many small pieces, all over the disks.

It helps to read less at a time, for example by fewer jobs side by side.

These figures are estimated from counters; no content of a file is read for them.
If you know that it was otherwise, please tell us.
"""
    )
    assert (
        by_sentence(written(told, "cs"))
        == """Dobrý den,

dne 27. 11. 2026 od 14:05 do 14:20 (CET) disky NASu nestíhaly vyřizovat, co se po nich chtělo.

Podle našich měření k tomu výrazně přispěly požadavky na vaše exporty 123 a 124.
Připadlo na ně 45 % času, po který disky pracovaly (v devíti případech z deseti je to mezi 38 a 52 %).
Šlo hlavně o čtení mnoha malých kousků dat z různých míst disků.

Pomůže číst méně najednou, například méně souběžnými úlohami.

Tyto údaje jsou odhad z čítačů; obsah souborů se kvůli nim nečte.
Pokud víte, že to bylo jinak, dejte nám prosím vědět.
"""
    )


def test_a_victims_text():
    """What they lost, in figures as people take them."""
    told = dataclasses.replace(
        SOME, confidence=0.02, calls_s_before=1240.4, calls_s=4.26, response_us_before=70, response_us=1_812_345
    )
    assert by_sentence(written(told, "en")).splitlines()[4:9] == [
        "Requests to your export 123 were answered more slowly at that time.",
        "Before, 1240 a second were answered, at that time 4.3.",
        "One took 1812 ms on average, and 0.07 ms before.",
        "",
        "You need not change anything.",
    ]
    assert "1240 za sekundu, v té době 4,3. Jeden trval průměrně 1812 ms, předtím 0,07 ms." in written(told, "cs")


@pytest.mark.parametrize(
    "wrong",
    [
        {"share": 1.1},
        {"share_lo": -0.1},
        {"confidence": float("nan")},
        {"calls_s": -1.0},
        {"response_us": float("inf")},
        {"how": "luck"},
        {"end": AT - timedelta(seconds=1)},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    """It is a fault of who asks, and nobody is sent it."""
    with pytest.raises(ValueError, match=r".+"):
        dataclasses.replace(SOME, **wrong)
