"""The phrases of what a member may be sent, in Czech and English, with numbers and dates as each language has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

Language = Literal["cs", "en"]
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Phrases:
    """The sentences of a language; in braces stands what they are about."""

    greeting: str
    happened: str
    contributed: str
    perhaps: str
    share: str
    range: str
    not_certain: str
    slowed: str
    fewer: str
    slower: str
    not_concerned: str
    nothing_to_do: str
    estimate: str
    little_history: str
    less_than: str
    your_export: str
    your_exports: str
    conjunction: str
    and_more: str
    one_day: str
    two_days: str
    decimal: str
    date: Callable[[datetime], str]
    how: Mapping[str | None, str]  #: by what of `attribution/how.py`; None: nobody knows
    advice: Mapping[str | None, str]

    def when(self, begin: datetime, end: datetime, zone: tzinfo) -> str:
        """From when to when, in whole minutes around it, with the zone's name."""
        first, last = begin.astimezone(UTC).replace(second=0, microsecond=0), end.astimezone(UTC)
        last = last - (last - first) % _MINUTE + (_MINUTE if (last - first) % _MINUTE else timedelta())
        here = [at.astimezone(zone) for at in (first, max(last, first + _MINUTE))]
        zones = [at.tzname() or f"{at:%z}" for at in here]
        clocks = [f"{at:%H:%M}" for at in here]
        dates = [self.date(at) for at in here]
        same = zones[0] == zones[1]
        clocks[0] += "" if same else f" {zones[0]}"
        clocks[1] += f" ({zones[1]})" if same else f" {zones[1]}"
        form = self.one_day if dates[0] == dates[1] else self.two_days
        return form.format(date=dates[0], begin=clocks[0], end_date=dates[1], end=clocks[1])

    def percent(self, share: float) -> str:
        """A share of 1 as percent."""
        return f"{100 * share:.0f} %" if share == 0 or share >= 0.01 else f"{self.less_than} 1 %"

    def between(self, low: float, high: float) -> str:
        """From which to which share, nine times in ten."""
        return self.range.format(low=f"{100 * low:.0f}", high=f"{100 * high:.0f}")

    def number(self, value: float) -> str:
        """A number as precise as people take it: 1240, 12, 1.2, 0.04."""
        if not value or value >= 10:
            return f"{value:.0f}"
        digits = 1 if value >= 1 else 2
        shown = f"{value:.{digits}f}"
        return shown.replace(".", self.decimal) if float(shown) else f"{self.less_than} 0{self.decimal}01"


PHRASES: dict[Language, Phrases] = {
    "en": Phrases(
        greeting="Hello,",
        happened="{when} the disks of the NAS did not keep up with what they were asked for.",
        contributed="As far as our measurements tell, requests to {exports} contributed to that considerably.",
        perhaps="Requests to {exports} probably contributed to that.",
        share="They took {share} of the time for which the disks worked{between}.",
        range=" (nine times in ten it is between {low} and {high} %)",
        not_certain="That is not certain, and may turn out to be otherwise.",
        slowed="Requests to {exports} were answered more slowly at that time.",
        fewer="Before, {before} a second were answered, at that time {then}.",
        slower="One took {then} ms on average, and {before} ms before.",
        not_concerned=(
            "Our measurements do not show that requests to {exports} contributed to that considerably, or were "
            "answered more slowly."
        ),
        nothing_to_do="You need not change anything.",
        estimate=(
            "These figures are estimated from counters; no content of a file is read for them. If you know that it was "
            "otherwise, please tell us."
        ),
        little_history="Less than a day is known of what is usual, so the estimate is less reliable.",
        less_than="less than",
        your_export="your export",
        your_exports="your exports",
        conjunction="and",
        and_more="and more",
        one_day="On {date} from {begin} to {end}",
        two_days="From {date}, {begin}, to {end_date}, {end},",
        decimal=".",
        date=lambda at: f"{at.day} {_MONTHS[at.month - 1]} {at.year}",
        how={
            "random_read": "They were mostly reads of many small pieces, all over the disks.",
            "seq_read": "They were mostly reads of large amounts of data.",
            "bulk_write": "They were mostly writes of large amounts of data.",
            "sync_write": "They were mostly writes that had to be on the disks at once (fsync).",
            "metadata": "They were mostly work on a large number of files, such as listing, searching or making them.",
            "delete": "They were mostly removals of files.",
            None: "Of what kind they were is not known.",
        },
        advice={
            "random_read": "It helps to read less at a time, for example by fewer jobs side by side.",
            "seq_read": "It helps to limit the speed of such transfers, for example by rsync's option --bwlimit.",
            "bulk_write": "It helps to limit the speed of such writes, for example by rsync's option --bwlimit.",
            "sync_write": "It helps to have data that are written so, such as a database, on the VPS's own disk.",
            "metadata": "It helps to go through files in smaller parts, with breaks.",
            "delete": "It helps to remove files in smaller parts, with breaks.",
            None: "If a larger job ran at your end then, such as a backup, it helps to run it at a quieter one.",
        },
    ),
    "cs": Phrases(
        greeting="Dobrý den,",
        happened="{when} disky NASu nestíhaly vyřizovat, co se po nich chtělo.",
        contributed="Podle našich měření k tomu výrazně přispěly požadavky na {exports}.",
        perhaps="Pravděpodobně k tomu přispěly požadavky na {exports}.",
        share="Připadlo na ně {share} času, po který disky pracovaly{between}.",
        range=" (v devíti případech z deseti je to mezi {low} a {high} %)",
        not_certain="Jisté to není a může se ukázat, že to bylo jinak.",
        slowed="Požadavky na {exports} se v té době vyřizovaly pomaleji.",
        fewer="Předtím se jich vyřídilo {before} za sekundu, v té době {then}.",
        slower="Jeden trval průměrně {then} ms, předtím {before} ms.",
        not_concerned=(
            "Z našich měření nevyplývá, že by k tomu požadavky na {exports} výrazně přispěly nebo že by se vyřizovaly "
            "pomaleji."
        ),
        nothing_to_do="Z vaší strany není potřeba nic měnit.",
        estimate=(
            "Tyto údaje jsou odhad z čítačů; obsah souborů se kvůli nim nečte. Pokud víte, že to bylo jinak, dejte nám "
            "prosím vědět."
        ),
        little_history="Obvyklý provoz známe za méně než den, odhad je proto méně spolehlivý.",
        less_than="méně než",
        your_export="váš export",
        your_exports="vaše exporty",
        conjunction="a",
        and_more="a další",
        one_day="dne {date} od {begin} do {end}",
        two_days="od {date} {begin} do {end_date} {end}",
        decimal=",",
        date=lambda at: f"{at.day}. {at.month}. {at.year}",
        how={
            "random_read": "Šlo hlavně o čtení mnoha malých kousků dat z různých míst disků.",
            "seq_read": "Šlo hlavně o čtení velkého množství dat.",
            "bulk_write": "Šlo hlavně o zápis velkého množství dat.",
            "sync_write": "Šlo hlavně o zápisy, které musely být na discích okamžitě (fsync).",
            "metadata": "Šlo hlavně o práci s velkým počtem souborů, jako je jejich výpis, hledání nebo zakládání.",
            "delete": "Šlo hlavně o mazání souborů.",
            None: "O jaký druh požadavků šlo, není známo.",
        },
        advice={
            "random_read": "Pomůže číst méně najednou, například méně souběžnými úlohami.",
            "seq_read": "Pomůže omezit rychlost takových přenosů, například volbou --bwlimit programu rsync.",
            "bulk_write": "Pomůže omezit rychlost takových zápisů, například volbou --bwlimit programu rsync.",
            "sync_write": "Pomůže mít data, která se takto zapisují, například databázi, na vlastním disku VPS.",
            "metadata": "Pomůže procházet soubory po menších částech, s přestávkami.",
            "delete": "Pomůže mazat soubory po menších částech, s přestávkami.",
            None: "Pokud u vás v té době běžela větší úloha, například záloha, pomůže spouštět ji v klidnější dobu.",
        },
    ),
}
